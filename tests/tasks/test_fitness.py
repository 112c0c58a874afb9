"""When a worker is of no more use, and when it is."""

from myriad.errors import DeviceLost, ModelNotLoadable, ModelUnavailable, OutOfMemory, StageFailed
from tasks.fitness import Fitness

LOST = DeviceLost("CUDA error")
MISSING = ModelNotLoadable("no such folder")


class Leaving:
    """Counts how often it was told to leave."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_a_lost_device_ends_it_once() -> None:
    leave = Leaving()
    fitness = Fitness(leave)
    fitness.worked()
    for _ in range(3):
        fitness.failed(LOST, "sd")
    assert (leave.count, fitness.reason) == (1, "device_lost: CUDA error")


def test_so_does_a_third_model_in_a_row_that_cannot_be_loaded() -> None:
    leave = Leaving()
    fitness = Fitness(leave)
    fitness.worked()
    for error, model in ((MISSING, "sd"), (ModelUnavailable("away"), "sdxl"), (MISSING, "sd")):
        assert fitness.reason is None
        fitness.failed(error, model)
    assert leave.count == 1


def test_one_broken_model_is_no_reason_where_there_are_others() -> None:
    fitness = Fitness(Leaving(), models=3)
    for _ in range(10):
        fitness.failed(MISSING, "broken")
    assert fitness.reason is None


def test_it_is_reason_enough_where_there_is_no_other() -> None:
    fitness = Fitness(Leaving(), models=1)
    for _ in range(3):
        fitness.failed(MISSING, "only")
    assert fitness.reason == "model_not_loadable: no such folder"


def test_what_jobs_add_to_their_models_is_no_reason() -> None:
    fitness = Fitness(Leaving())
    misfit = ModelNotLoadable("lora ink does not fit", field="loras")
    for model in ("sd", "sdxl") * 5:
        fitness.failed(misfit, model)
    assert fitness.reason is None


def test_success_in_between_counts() -> None:
    fitness = Fitness(Leaving())
    for _ in range(3):
        fitness.failed(MISSING, "sd")
        fitness.worked()
        fitness.failed(MISSING, "sdxl")
    assert fitness.reason is None


def test_what_may_be_the_jobs_fault_is_no_reason() -> None:
    fitness = Fitness(Leaving())
    for error in (OutOfMemory("full"), StageFailed("odd")) * 5:
        fitness.failed(error, "sd")
    assert fitness.reason is None
