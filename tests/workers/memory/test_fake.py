"""Peak memory is traced exactly, and is a line, on real classes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel

from tests.workers import tiny
from tests.workers.memory.folders import FAMILIES, save_configs
from workers.families import find_family
from workers.memory.arguments import empty_rows, repeated_rows, with_rows
from workers.memory.example import EXAMPLE_ROWS, Example, ExamplePipeline
from workers.memory.fake import FakeModel, NotTraceable
from workers.memory.live import LiveBytes

MIB = 2**20
# The true configuration of Stable Diffusion 1.5; what is not named has the class's own default.
SD_15_UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SD_VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
}
SAME_VAE_AS_SD = ("sdxl", "sd3", "flux", "z-image")


def peak(example: Example, rows: int) -> int:
    """As the model itself has it for that row count, not from the line."""
    return example.model.peak_bytes(
        example.arguments, EXAMPLE_ROWS, rows, example.method, example.listed
    )


def test_live_bytes_are_counted_once_and_given_back() -> None:
    kept = torch.zeros(1_000)
    with LiveBytes([kept]) as live:
        kept.add(1).add(1).view(10, 100).t()  # two at once, then none
        large = torch.zeros(500)
        both = torch.cat([large, large])
        del large, both
        kept.view(-1)[:10].add_(1)
    assert live.peak_bytes == 8_000


@pytest.mark.parametrize("family", FAMILIES)
def test_a_line_for_every_family(family: str, tmp_path: Path) -> None:
    pipeline = ExamplePipeline(save_configs(family, tmp_path), torch.bfloat16)
    frames = 9 if family in ("wan", "ltx") else 1
    denoiser, vae = pipeline.record(64, 96, frames)
    assert (denoiser.method, vae.part, vae.method) == ("forward", "vae", "decode")
    for example in (denoiser,) if family in SAME_VAE_AS_SD else (denoiser, vae):
        memory = example.row_memory()
        assert memory.b_bytes > 10_000
        assert peak(example, 3) == memory.peak_bytes(3)
        assert peak(example, 16) == memory.peak_bytes(16)
        # A single row may peak at another layer, a little lower.
        assert memory.peak_bytes(1) * 0.99 <= peak(example, 1) <= memory.peak_bytes(1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_of_few_rows_shows_the_same_peak(family: str, tmp_path: Path) -> None:
    """As they come in production: rows are as few there as items that mean something else."""
    denoiser, _ = ExamplePipeline(save_configs(family, tmp_path), torch.bfloat16).record(64, 64)
    spec = find_family(family).meeting_points[denoiser.part]
    listed = spec.listed | spec.ragged
    assert denoiser.listed == listed
    peak(denoiser, 2)  # fills what models cache
    expected = peak(denoiser, 2)
    for rows in (1, 2, 3):
        call = with_rows(denoiser.arguments, EXAMPLE_ROWS, rows, empty_rows, listed)
        assert denoiser.model.peak_bytes(call, rows, 2, "forward", listed) == expected


def test_sd_1_5_at_512_takes_65_mib_a_row() -> None:
    model = FakeModel(UNet2DConditionModel, SD_15_UNET, torch.bfloat16)
    dtype = torch.bfloat16
    arguments = {
        "sample": torch.empty(2, 4, 64, 64, dtype=dtype),
        "timestep": torch.tensor(1),
        "encoder_hidden_states": torch.empty(2, 77, 768, dtype=dtype),
    }
    memory = model.row_memory(arguments, 2)
    assert memory.b_bytes / MIB == pytest.approx(65, abs=1)
    assert memory.a_bytes < MIB


def test_a_decode_at_512_takes_384_mib_a_row() -> None:
    model = FakeModel(AutoencoderKL, SD_VAE, torch.bfloat16)
    z = torch.empty(3, 4, 64, 64, dtype=torch.bfloat16)
    memory = model.row_memory({"z": z}, 3, "decode")
    assert memory.b_bytes / MIB == pytest.approx(384, abs=1)


def test_a_loaded_model_is_traced_and_left_alone() -> None:
    vae = tiny.vae()
    weights = {name: tensor.data_ptr() for name, tensor in vae.named_parameters()}
    z = torch.zeros(3, 4, 32, 32)
    whole = FakeModel.like(vae).row_memory({"z": z}, 3, "decode")
    vae.enable_slicing()
    sliced = FakeModel.like(vae).row_memory({"z": z}, 3, "decode")
    assert sliced.b_bytes < whole.b_bytes / 5
    assert sliced.a_bytes > whole.b_bytes / 2
    assert {name: tensor.data_ptr() for name, tensor in vae.named_parameters()} == weights
    half = FakeModel.like(vae, torch.bfloat16).row_memory({"z": z.bfloat16()}, 3, "decode")
    assert half.b_bytes == pytest.approx(sliced.b_bytes / 2, rel=0.01)


def test_the_traced_peak_is_the_real_one() -> None:
    """The same tracker around a real forward pass counts the same bytes."""
    torch.manual_seed(0)
    unet = tiny.unet(cross_attention_dim=32, attention_head_dim=8).eval()
    shapes = {"sample": (3, 4, 16, 16), "encoder_hidden_states": (3, 16, 32), "timestep": (3,)}
    with torch.no_grad(), LiveBytes((*unet.parameters(), *unet.buffers())) as live:
        unet(**{name: torch.zeros(shape) for name, shape in shapes.items()})
    arguments = {name: torch.zeros(shape) for name, shape in shapes.items()}
    assert FakeModel.like(unet).row_memory(arguments, 3).peak_bytes(3) == live.peak_bytes


def test_sdxl_decodes_in_float32_where_16_bit_overflow(tmp_path: Path) -> None:
    folder = save_configs("sdxl", tmp_path)
    half, brain = (
        ExamplePipeline(folder, dtype).record(64, 64)[1].row_memory().b_bytes
        for dtype in (torch.float16, torch.bfloat16)
    )
    assert half == pytest.approx(2 * brain, rel=0.01)


def test_what_is_batched() -> None:
    call: dict[str, Any] = {
        "x": torch.zeros(5, 2),
        "ids": torch.zeros(8, 3),
        "t": torch.tensor(1.0),
        "texts": [torch.zeros(5, 3)] * 5,
        "shapes": [[(1, 4, 6)]] * 5,
        "scale": (1.0, 2.0, 3.0, 4.0, 5.0),
        "residuals": (torch.zeros(5, 1), torch.zeros(5, 4)),
        "extra": {"y": torch.zeros(5, 6, dtype=torch.int64)},
        "height": 5,
    }
    wider = with_rows(call, 5, 9, empty_rows, {"texts", "shapes"})
    assert wider["x"].shape == (9, 2)
    assert wider["ids"].shape == (8, 3)
    assert wider["t"].shape == ()
    assert [text.shape for text in wider["texts"]] == [(5, 3)] * 9
    assert wider["shapes"] == [[(1, 4, 6)]] * 9
    assert wider["scale"] == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert [each.shape for each in wider["residuals"]] == [(9, 1), (9, 4)]
    assert wider["extra"]["y"].shape == (9, 6)
    assert wider["extra"]["y"].dtype == torch.int64
    assert wider["height"] == 5
    call["x"] = torch.arange(10).view(5, 2)
    assert with_rows(call, 5, 3, repeated_rows)["x"].tolist() == [[0, 1]] * 3


def test_tiled_sliced_and_tiny_autoencoders(tmp_path: Path) -> None:
    folder = save_configs("sd", tmp_path)
    tiny = tmp_path / "tiny"
    AutoencoderTiny(
        in_channels=3,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
        latent_channels=4,
    ).save_config(tiny)
    options = ({}, {"vae_flags": ["slicing"]}, {"vae_flags": ["tiling"]}, {"vae_folder": tiny})
    whole, sliced, tiled, small = (
        ExamplePipeline(folder, torch.bfloat16, **each).record(64, 64)[1].row_memory().b_bytes
        for each in options
    )
    assert sliced < whole / 10
    assert tiled < whole
    assert small < whole / 2


@pytest.mark.parametrize("index", ["{}", '{"_class_name": "NoSuchPipeline"}', "not json"])
def test_a_folder_of_another_kind_is_refused(index: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(index)
    with pytest.raises(NotTraceable):
        ExamplePipeline(tmp_path, torch.bfloat16)


def test_a_size_the_model_does_not_take_is_refused(tmp_path: Path) -> None:
    pipeline = ExamplePipeline(save_configs("sd", tmp_path), torch.bfloat16)
    with pytest.raises(NotTraceable, match="divisible by 8"):
        pipeline.record(63, 64)
    assert pipeline.record(64, 64)[0].part == "unet"  # and it still works
