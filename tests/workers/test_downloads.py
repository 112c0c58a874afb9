"""A hub that takes its time: whoever needs its files waits, may be ended, and holds up nobody."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import diffusers
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import close_session

from myriad import clock
from myriad.adapter import Lora
from myriad.catalog import Catalog
from myriad.errors import DeadlineExceeded, LeaseLost, ModelNotLoadable, ModelUnavailable
from myriad.job import Stage
from myriad.lease import Lease
from myriad.resolve import resolve
from myriad.settings import Settings
from tasks.control import LeaseControl
from tests.processes import wait_until
from tests.workers.adapters.made import TEXT, config, save_lora
from tests.workers.slow_hub import COMMIT, SlowHub, open_hub
from tests.workers.stage import FakeControl, MakeLease, MakeRunner, make_lease

LONG_S = 60.0

OpenHub = Callable[[Path], SlowHub]


@pytest.fixture
def open_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenHub]:
    """Opens a hub, which is the only one, with an empty cache."""
    with ExitStack() as stack:

        def open_one(folder: Path) -> SlowHub:
            hub = stack.enter_context(open_hub(folder))
            pattern = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
            monkeypatch.setattr(constants, "ENDPOINT", hub.url)
            monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", pattern)
            monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
            return hub

        yield open_one
    close_session()


@pytest.fixture
def hub(open_far: OpenHub, folders: dict[str, Path]) -> SlowHub:
    """It has the sd model."""
    return open_far(folders["sd"])


@pytest.fixture
def models(catalog: Catalog) -> Catalog:
    """Of one model twice: `sd` is here, `far` on the hub."""
    far = {"name": "far", "source": "someone/far", "revision": COMMIT}
    return Catalog([catalog["sd"], catalog["sd"].model_copy(update=far)])


def control_of(job: Lease) -> LeaseControl:
    return LeaseControl(job, Settings(), keep=lambda *_: None)


@contextmanager
def sending_at_the_end(hub: SlowHub) -> Iterator[None]:
    """Whatever becomes of the block, nobody waits for ever."""
    try:
        yield
    finally:
        hub.may_send.set()


def test_who_waits_for_a_download_can_be_ended_and_holds_up_nobody(
    hub: SlowHub, models: Catalog, open_runner: MakeRunner, lease: MakeLease
) -> None:
    runner = open_runner(Stage.ENCODE, models=models)
    here, far = lease("sd"), replace(lease("sd"), model="far")
    late = replace(far, deadline_at=clock.now() + timedelta(seconds=1))
    canceled, patient = control_of(far), control_of(far)
    with ThreadPoolExecutor() as threads, sending_at_the_end(hub):
        ends, expires, stays = (
            threads.submit(runner.encode, control.lease, {}, control)
            for control in (canceled, control_of(late), patient)
        )
        assert hub.was_asked.wait(LONG_S)
        expected = threads.submit(runner.encode, here, {}, FakeControl()).result(LONG_S)
        canceled.stop(LeaseLost("the job was canceled"))
        with pytest.raises(LeaseLost):
            ends.result(LONG_S)
        with pytest.raises(DeadlineExceeded):
            expires.result(LONG_S)
        assert not stays.done()
        hub.may_send.set()
        assert stays.result(LONG_S) == expected
    assert set(hub.asked.values()) == {1}
    assert "text_encoder/model.safetensors" in hub.asked
    assert not any(name.startswith("unet") for name in hub.asked)


def test_a_download_that_failed_is_tried_again(
    hub: SlowHub, models: Catalog, open_runner: MakeRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = open_runner(Stage.DECODE, models=models)
    hub.may_send.set()
    with monkeypatch.context() as away:
        away.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelUnavailable, match="HF_ENDPOINT to a mirror"):
            runner.preload("far")
    runner.preload("far")
    assert runner.held_models == ("far",)


def test_a_repository_of_another_kind_is_refused(
    open_far: OpenHub, models: Catalog, open_runner: MakeRunner, tmp_path: Path
) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "README.md").touch()
    open_far(tmp_path / "repository")
    with pytest.raises(ModelNotLoadable, match=r"someone/far has no model_index\.json on the hub"):
        open_runner(models=models).preload("far")


def test_what_is_loaded_at_start_waits_for_no_download(
    hub: SlowHub, models: Catalog, open_runner: MakeRunner
) -> None:
    runner = open_runner(Stage.DECODE, models=models, preload=("far", "sd"))
    with sending_at_the_end(hub):
        runner.preload_all()
        assert hub.was_asked.wait(LONG_S)
        wait_until(lambda: runner.held_models == ("sd",))
        hub.may_send.set()
        wait_until(lambda: runner.held_models == ("sd", "far"))


def test_a_lora_is_downloaded_too(
    open_far: OpenHub,
    folders: dict[str, Path],
    models: Catalog,
    open_runner: MakeRunner,
    tmp_path: Path,
) -> None:
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folders["sd"])
    hub = open_far(save_lora(pipe, tmp_path / "lora", {"text_encoder": config(*TEXT)}, seed=1))
    lora = Lora(name="style", source="someone/style", revision=COMMIT, models=("sd",))
    offered = Catalog(models.values(), [lora])
    asked = {"prompt": "a red cat", "seed": 11}
    job, plain = (
        make_lease("sd", resolve(values, offered["sd"], offered))
        for values in (asked | {"loras": [{"name": "style"}]}, asked)
    )
    runner = open_runner(Stage.ENCODE, models=offered)
    with ThreadPoolExecutor() as threads, sending_at_the_end(hub):
        styled = threads.submit(runner.encode, job, {}, FakeControl())
        assert hub.was_asked.wait(LONG_S)
        without = threads.submit(runner.encode, plain, {}, FakeControl()).result(LONG_S)
        hub.may_send.set()
        assert styled.result(LONG_S) != without
