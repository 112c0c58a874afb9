"""The recommended pools for machines of several kinds; each is read as any pools.toml."""

from collections.abc import Callable
from pathlib import Path

import pytest

from myriad.job import Stage
from myriad.pool import Pool, load_pools
from tests.workers.doctor.reports import CPU, GIB, cost, costs, device
from workers.doctor.recommend import recommend
from workers.doctor.report import CostReport, DeviceReport, ModelReport

Recommended = Callable[..., tuple[Pool, ...]]


@pytest.fixture
def recommended(tmp_path: Path) -> Recommended:
    """Recommend, save, load."""

    def make(
        *devices: DeviceReport,
        models: tuple[ModelReport, ...] = (),
        costs: CostReport | None = None,
    ) -> tuple[Pool, ...]:
        path = tmp_path / "pools.toml"
        path.write_text(recommend(devices, models, costs))
        return load_pools(path)

    return make


def model(gib: float) -> ModelReport:
    half = int(gib * GIB / 3)
    weights = {stage.value: {"fp32": 2 * half, "fp16": half, "bf16": half} for stage in Stage}
    return ModelReport("large", "flux", is_here=True, weights_bytes=weights)


def test_a_cpu_alone_serves_every_stage(recommended: Recommended) -> None:
    (pool,) = recommended(CPU)
    assert (pool.name, pool.stages, pool.device) == ("all", tuple(Stage), "cpu")
    assert (pool.precision, int(pool.memory), pool.threads) == ("fp32", 10 * GIB, 1)


def test_a_small_machine_gets_a_part_of_its_memory(recommended: Recommended) -> None:
    (pool,) = recommended(device("cpu", 1.0, fp32=10.0))
    assert int(pool.memory) == GIB // 2


def test_as_many_threads_as_draw_more(recommended: Recommended) -> None:
    one = [cost("denoise", rows, 0.1 * rows) for rows in (1, 2, 4, 8)]
    (pool,) = recommended(CPU, costs=costs(*one))
    assert pool.threads == 1
    # Slower for one row, but faster for several.
    two = [cost("denoise", rows, 0.1 + 0.02 * rows, threads=2) for rows in (1, 2, 4, 8)]
    (pool,) = recommended(CPU, costs=costs(*one, *two))
    assert pool.threads == 2
    same = [cost("denoise", rows, 0.095 * rows, threads=2) for rows in (1, 2, 4, 8)]
    (pool,) = recommended(CPU, costs=costs(*one, *same))
    assert pool.threads == 1


def test_estimates_say_nothing_about_threads(recommended: Recommended) -> None:
    guessed = [cost("denoise", 1, 0.1 / n, threads=n, is_estimate=True) for n in (1, 2)]
    (pool,) = recommended(CPU, costs=costs(*guessed))
    assert pool.threads == 1


def test_a_roomy_gpu_serves_every_stage(recommended: Recommended) -> None:
    gpu = device("cuda:0", 22, fp32=9e4, fp16=3e5, bf16=3e5)
    (pool,) = recommended(gpu, CPU, models=(model(9),))
    assert (pool.device, pool.precision, pool.stages) == ("cuda", "bf16", tuple(Stage))
    assert int(pool.memory) == 13 * GIB


def test_text_encoders_leave_a_small_gpu(recommended: Recommended) -> None:
    gpu = device("cuda:0", 7, fp32=9e3, fp16=3e4, bf16=None)
    pool, texts = recommended(gpu, CPU, models=(model(30),))
    assert (pool.device, pool.precision) == ("cuda", "fp16")
    assert pool.stages == (Stage.DENOISE, Stage.DECODE)
    assert (texts.device, texts.stages) == ("cpu", (Stage.ENCODE,))
    # 20 GiB in fp32 have no room in half the memory.
    assert (texts.precision, int(texts.memory)) == ("bf16", 10 * GIB)


def test_text_encoders_with_room_stay_in_fp32(recommended: Recommended) -> None:
    gpu = device("cuda:0", 7, fp32=9e3, fp16=3e4, bf16=None)
    roomy, halting = device("cpu", 64, fp32=150.0, bf16=300.0), device("cpu", 21, fp32=150.0)
    for cpu in (roomy, halting):
        _, texts = recommended(gpu, cpu, models=(model(30),))
        assert texts.precision == "fp32"


def test_every_gpu_gets_a_worker(recommended: Recommended) -> None:
    gpus = [device(f"cuda:{index}", 80, fp32=1e5, fp16=9e5, bf16=9e5) for index in range(3)]
    (pool,) = recommended(*gpus, CPU)
    assert [pool.device_of(index) for index in range(pool.workers)] == [
        "cuda:0",
        "cuda:1",
        "cuda:2",
    ]
