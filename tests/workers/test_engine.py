"""One thread, one call at a time, no gradients; and a clean end."""

import threading

import pytest
import torch

from myriad.errors import ConfigError, ShuttingDown
from myriad.job import Stage
from myriad.pool import Pool
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
