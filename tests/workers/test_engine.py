"""One thread, one call at a time, no gradients; and a clean end."""

import threading
import time

import pytest
import torch

from myriad.errors import ConfigError, ShuttingDown
from myriad.job import Stage
from myriad.pool import Pool
from workers.batching.call import CallSpec
from workers.batching.stopwatch import Stopwatch
from workers.device import open_device
from workers.engine import Engine


@pytest.fixture
def engine() -> "Engine":
    return Engine()


def test_every_call_runs_on_the_one_engine_thread_without_gradients(engine: Engine) -> None:
    def where() -> tuple[int, bool]:
        return threading.get_ident(), torch.is_grad_enabled()

    first, second = engine.submit(where), engine.submit(where)
    assert first.result() == second.result()
    assert first.result() != (threading.get_ident(), torch.is_grad_enabled())
    assert first.result()[1] is False
    engine.close()


def test_calls_run_in_the_order_they_came(engine: Engine) -> None:
    order: list[int] = []
    for future in [engine.submit(lambda i=i: order.append(i)) for i in range(20)]:
        future.result()
    assert order == list(range(20))
    engine.close()


def test_what_a_call_raises_reaches_its_caller_alone(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        engine.run(lambda: 1 / 0)
    assert engine.run(lambda: 7) == 7
    engine.close()


def test_close_finishes_the_running_call_and_gives_the_waiting_back(engine: Engine) -> None:
    began, go_on, gave_back = threading.Event(), threading.Event(), threading.Event()

    def long_call() -> str:
        began.set()
        go_on.wait()
        return "done"

    def wait_in_line() -> None:
        with pytest.raises(ShuttingDown):
            engine.run(lambda: "never")
        gave_back.set()

    running = engine.submit(long_call)
    began.wait()
    caller = threading.Thread(target=wait_in_line)
    caller.start()
    while not engine._submitted.qsize():
        began.wait(0.001)
    closer = threading.Thread(target=engine.close)
    closer.start()
    gave_back.wait()
    go_on.set()
    closer.join()
    caller.join()
    assert running.result() == "done"
    with pytest.raises(ShuttingDown):
        engine.run(lambda: "late")


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "cpu:-3", "meta"])
def test_an_impossible_device_is_a_config_error(device: str) -> None:
    pool = Pool(name="gpu", stages=(Stage.DENOISE,))
    with pytest.raises(ConfigError, match=f"pool gpu: device '{device}' in fp32 cannot be used"):
        open_device(pool, device)


@pytest.mark.parametrize("device", ["nonsense", "cpu:-3", "meta", "cuda:", "cuda:1:2", "CPU"])
def test_a_pool_names_a_kind_of_device_that_there_is(device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        Pool(name="gpu", stages=(Stage.DENOISE,), device=device)


def test_auto_is_what_this_machine_has() -> None:
    found = torch.accelerator.current_accelerator(check_available=True)
    opened = open_device(Pool(name="any", stages=(Stage.DENOISE,), device="auto")).torch_device
    assert opened.type == (found.type if found else "cpu")


def test_the_override_wins_and_precision_is_the_pools() -> None:
    pool = Pool(name="gpu", stages=(Stage.DENOISE,), device="cuda:99", precision="bf16")
    device = open_device(pool, "cpu")
    assert device.torch_device == torch.device("cpu")
    assert device.dtype is torch.bfloat16


def test_a_stream_of_short_calls_does_not_put_off_the_forward_pass(engine: Engine) -> None:
    passes: list[int] = []

    class Model(torch.nn.Module):
        def forward(self, sample: torch.Tensor, return_dict: bool = True) -> tuple[torch.Tensor]:
            passes.append(len(sample))
            return (sample,)

    def stream(_: object = None) -> None:
        if not passes:  # the next one is there before the engine looks again
            engine.submit(lambda: None).add_done_callback(stream)

    model = Model()
    engine.run(lambda: engine.hub.park_point(model, CallSpec(rows="sample", timestep=None)))
    waiting = engine.submit(lambda: model(torch.zeros(1, 2), return_dict=False))
    stream()
    waiting.result(timeout=60)
    assert passes == [1]
    engine.close()


def test_time_off_the_processor_is_no_cost() -> None:
    told: list[tuple[float, float]] = []
    with Stopwatch().timing(lambda cost_s, wall_s: told.append((cost_s, wall_s))):
        time.sleep(0.05)
    [(cost_s, wall_s)] = told
    assert cost_s < wall_s / 2
