"""What cannot be run in time is estimated from a smaller size, and says so."""

from pathlib import Path
from shutil import copytree

import pytest
import torch

from myriad.catalog import Limits, Model, load_catalog
from myriad.job import Stage
from myriad.pool import Pool, load_pools
from tests.workers.doctor.reports import CPU
from tests.workers.families.tiny import modular
from workers.doctor.cost import measure
from workers.doctor.fit import OpenedPools, look_into, open_pools
from workers.doctor.models import LocalModel, Setting, Size

SIZE = Size(64, 64)


@pytest.fixture(scope="module")
def pools(farm_folder: Path) -> OpenedPools:
    return open_pools(load_pools(farm_folder / "pools.toml"), "")


@pytest.fixture(scope="module")
def local(farm_folder: Path, pools: OpenedPools) -> LocalModel:
    _, found = look_into(
        load_catalog(farm_folder / "catalog.toml")["tiny"], pools, SIZE, is_quick=False
    )
    assert found
    return found


def test_without_time_all_is_estimated(local: LocalModel, pools: OpenedPools) -> None:
    threads = torch.get_num_threads()
    report = measure(local, SIZE, pools, (CPU,), budget_s=0.0)
    assert torch.get_num_threads() == threads
    assert report.notes == ()
    steps = report.of("denoise", threads=1)
    assert [cost.rows for cost in steps] == [1, 2, 4, 8]
    assert all(cost.is_estimate for cost in (*steps, *report.of("decode")))
    flops = local.example(Stage.DENOISE, SIZE, Setting(torch.float32)).flops()
    # A fifth of the speed of a matrix product, which the report says is 150 GFLOP/s.
    assert steps[0].seconds == pytest.approx(flops / 30e9)
    assert steps[3].seconds == pytest.approx(steps[0].seconds * 8)


def test_a_pool_is_measured_with_its_options(local: LocalModel) -> None:
    plain, cheap = (
        Pool(name=name, stages=("decode",), tiny_vae=name == "cheap", vae_slicing=name == "cheap")
        for name in ("plain", "cheap")
    )
    rows = {}
    for pool in (plain, cheap):
        opened = open_pools([pool], "")
        report = measure(local, SIZE, opened, (CPU,), budget_s=30.0)
        assert report.notes == ()
        assert [cost.is_estimate for cost in report.of("decode", pool=pool.name)] == [False]
        model, _ = look_into(local.model, opened, SIZE, is_quick=True)
        (rows[pool.name],) = (fit.max_rows for fit in model.fits if fit.stage == "decode")
    assert rows["cheap"] > rows["plain"] * 5


def test_layers_that_wait_elsewhere_need_no_room(local: LocalModel) -> None:
    unet = local.weights_of((Stage.DENOISE,), "fp32")
    fits = {}
    for offload in ("none", "disk"):
        pool = Pool(name="small", stages=("denoise",), offload=offload, memory=unet // 2)
        model, _ = look_into(local.model, open_pools([pool], ""), SIZE, is_quick=True)
        (fits[offload],) = model.fits
    assert (fits["none"].max_rows, fits["disk"].note) == (0, "")
    assert fits["disk"].max_rows


def test_a_torn_file_is_noted(
    farm_folder: Path, tmp_path: Path, local: LocalModel, pools: OpenedPools
) -> None:
    torn = copytree(farm_folder / "sd", tmp_path / "torn")
    (torn / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"not so safe")
    model = local.model.model_copy(update={"source": str(torn)})
    report, found = look_into(model, pools, SIZE, is_quick=True)
    assert (report.fits, found) == ((), None)
    assert "SafetensorError" in report.note


def test_a_modular_pipeline_is_noted(tmp_path: Path, pools: OpenedPools) -> None:
    folder = modular.save(tmp_path / "blocks", "sdxl")
    model = Model(
        name="blocks", family="modular", source=str(folder), limits=Limits(size_multiple=16)
    )
    _, found = look_into(model, pools, SIZE, is_quick=True)
    assert found
    report = measure(found, SIZE, pools, (CPU,), budget_s=1.0)
    assert report.costs == ()
    assert "has blocks of its own, which are not measured" in report.notes[0]


def test_operations_grow_with_the_area(local: LocalModel) -> None:
    small, large = (
        local.example(Stage.DECODE, size, Setting(torch.float32)).flops()
        for size in (Size(32, 32), SIZE)
    )
    assert large == pytest.approx(4 * small, rel=0.3)


def test_a_size_the_model_does_not_take_is_noted(local: LocalModel, pools: OpenedPools) -> None:
    report = measure(local, Size(63, 64), pools, (CPU,), budget_s=1.0)
    assert len(report.notes) == 1
    assert "divisible" in report.notes[0]
