"""Each option is seen to take effect on real modules, or is refused at start."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch

from myriad.catalog import Catalog, Model
from myriad.errors import ConfigError, ModelNotLoadable
from myriad.pool import Pool
from myriad.resolve import resolve
from tests.workers.options.put import SD, draw, pool_with, put_on
from tests.workers.stage import FakeControl, make_lease
from workers import blob
from workers.device import Device, open_device
from workers.families import find_family
from workers.loaded import LoadedModel
from workers.loading import plan
from workers.options.offload import is_offloaded
from workers.options.registry import OPTIONS, apply_options, check_options
from workers.options.size import stored_bytes
from workers.runner import Runner
from workers.source import weights_bytes


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().mean())


def test_without_options_nothing_is_changed(pipe: Any) -> None:
    before = draw(pipe)
    assert not [option.name for option in OPTIONS if option.is_wanted(pool_with())]
    put_on(pipe)
    assert torch.equal(draw(pipe), before)


@pytest.mark.parametrize("precision", ["fp8", "int8"])
def test_eight_bits_take_half_the_room_of_sixteen_and_draw_alike(pipe: Any, precision: str) -> None:
    exact = draw(pipe)
    before = stored_bytes(pipe.unet.to(torch.bfloat16))
    put_on(pipe, precision=precision)
    # int8 packs linear layers alone, of which this UNet has few beside its convolutions.
    assert stored_bytes(pipe.unet) < before * (0.6 if precision == "fp8" else 0.9)
    assert 0 < difference(draw(pipe), exact) < 0.1


@pytest.mark.parametrize("precision", ["fp8", "int8"])
def test_eight_bits_need_room_for_eight_bits(folders: dict[str, Path], precision: str) -> None:
    model = Model(name="sd", family="sd", source=str(folders["sd"]))
    sixteen = weights_bytes(folders["sd"], ["unet"], torch.bfloat16)
    pool = Pool(name="tiny", stages=("denoise",), precision=precision, memory=sixteen * 2 // 3)
    runner = Runner(Catalog([model]), pool)
    try:
        runner.preload("sd")
    finally:
        runner.close()


def test_weights_become_eight_bits_before_they_are_on_the_device(folders: dict[str, Path]) -> None:
    """`meta` stands for an accelerator."""
    model = Model(name="sd", family="sd", source=str(folders["sd"]))
    pool, device = pool_with(precision="fp8"), Device(torch.device("meta"), torch.bfloat16)
    before: list[str] = []

    def settle_in(loaded: LoadedModel) -> None:
        pipe = loaded.pipe
        before.extend(each.device.type for each in (pipe.unet, pipe.vae, pipe.text_encoder))
        apply_options(loaded.family, pipe, pool, device, "sd")

    loaded = plan(model, pool.stages, pool, device, settle_in).load()
    assert before == ["cpu", "meta", "meta"]
    assert loaded.pipe.unet.device.type == "meta"


def test_slicing_and_tiling_are_switched_on(pipe: Any) -> None:
    put_on(pipe, vae_slicing=True, vae_tiling=True)
    assert pipe.vae.use_slicing
    assert pipe.vae.use_tiling


def test_convolutions_change_their_layout_and_draw_the_same(pipe: Any) -> None:
    exact = draw(pipe)
    put_on(pipe, channels_last=True)
    weight = pipe.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert not weight.is_contiguous()
    assert difference(draw(pipe), exact) < 1e-3


def test_convolutions_of_videos_change_their_layout_beside_those_of_pictures() -> None:
    vae = diffusers.AutoencoderKLWan(
        base_dim=4, z_dim=4, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[True]
    )
    pool = pool_with(channels_last=True)
    apply_options(find_family("wan"), SimpleNamespace(vae=vae), pool, open_device(pool), "wan")
    convolutions = [each for each in vae.parameters() if each.ndim in (4, 5)]
    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    assert {each.ndim for each in convolutions} == {4, 5}
    assert all(each.is_contiguous(memory_format=layouts[each.ndim]) for each in convolutions)


def test_a_layout_of_convolutions_is_refused_where_there_are_none() -> None:
    pool, linear = pool_with(channels_last=True), SimpleNamespace(unet=torch.nn.Linear(2, 2))
    with pytest.raises(ModelNotLoadable, match="channels_last of pool tiny has no effect"):
        apply_options(SD, linear, pool, open_device(pool), "sd")
    apply_options(SD, SimpleNamespace(), pool, open_device(pool), "sd")  # reads prompts only


def test_offload_leaves_the_layers_on_disk(pipe: Any) -> None:
    exact = draw(pipe)
    put_on(pipe, offload="disk")
    assert is_offloaded(pipe.unet)
    assert difference(draw(pipe), exact) < 1e-3


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_tiny_autoencoder_decodes_in_place_of_the_whole_one(
    folders: dict[str, Path], tmp_path: Path, family: str
) -> None:
    torch.manual_seed(3)
    tiny: Any = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    tiny.save_pretrained(tmp_path)
    model = Model(name="one", family=family, source=str(folders[family]), tiny_vae=str(tmp_path))
    params = resolve({"prompt": "a cat", "seed": 1, "num_images": 2}, model)
    runner = Runner(Catalog([model]), pool_with(tiny_vae=True))
    latents = torch.randn(2, 4, 8, 6)
    pictures = runner.decode(
        make_lease("one", params), blob.dump({"latents": latents}), FakeControl()
    )
    runner.close()
    assert [(each.width, each.height) for each in pictures] == [(12, 16)] * 2


def test_an_attention_backend_that_no_processor_takes_is_refused_at_the_model(pipe: Any) -> None:
    with pytest.raises(ModelNotLoadable, match="attention of pool tiny has no effect"):
        put_on(pipe, attention="native")


# The compiler's own imports use parts of torch that are on their way out.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiled_blocks_compute_the_same_and_are_kept(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        cross_attention_dim=32,
        attention_head_dim=8,
    )
    call = (torch.randn(2, 4, 8, 8), 3.0, torch.randn(2, 5, 32))
    pool = pool_with(compile=True)
    check_options(pool, open_device(pool))
    with torch.no_grad():
        exact = unet(*call).sample
        apply_options(SD, SimpleNamespace(unet=unet), pool, open_device(pool), "sd")
        assert difference(unet(*call).sample, exact) < 1e-5
    assert any(tmp_path.rglob("*.so"))  # for the next process


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_compiling_without_a_compiler_is_refused_at_start(tmp_path: Path, monkeypatch: Any) -> None:
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    pool = pool_with(compile=True)
    with (
        config.patch({"cpp.cxx": (None, "no-such-compiler")}),
        pytest.raises(ConfigError, match=r"compile fails here: .*compiler"),
    ):
        check_options(pool, open_device(pool))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"tf32": True}, "tf32 needs an NVIDIA GPU"),
        ({"attention": "flash"}, "attention 'flash' cannot be used"),
        ({"attention": "nonsense"}, "attention 'nonsense' cannot be used"),
        ({"attention": "_native_cudnn"}, "needs a GPU"),
        ({"offload": "host"}, "in host memory already"),
    ],
    ids=str,
)
def test_what_the_device_cannot_do_is_refused_at_start(
    options: dict[str, Any], complaint: str
) -> None:
    pool = pool_with(**options)
    with pytest.raises(ConfigError, match=complaint):
        check_options(pool, open_device(pool))


def test_attention_takes_effect_where_there_are_backends() -> None:
    class Flux:
        transformer = diffusers.FluxTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=32,
            axes_dims_rope=(4, 4, 8),
        )

    class Family:
        meeting_points = {"transformer": None}  # noqa: RUF012

    pool = pool_with(attention="native")
    family: Any = Family()
    apply_options(family, Flux(), pool, open_device(pool), "flux")
    processors = {
        getattr(part.processor, "_attention_backend", None)
        for part in Flux.transformer.modules()
        if hasattr(part, "processor")
    }
    assert processors == {"native"}
