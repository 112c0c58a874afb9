"""Folders made to run code when they are loaded: refused, and an audit hook sees nothing run."""

import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch

from myriad.catalog import Catalog, Model
from myriad.errors import ModelNotLoadable
from tests.workers.stage import MakeRunner

_WATCHED = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
_seen: list[str] | None = None
"""What the hook reports to; a hook once set cannot be taken away."""


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _seen is not None and (event in _WATCHED or (event == "exec" and _is_hostile(args[0]))):
        _seen.append(event)


def _is_hostile(code: Any) -> bool:
    return "hostile-folder" in getattr(code, "co_filename", "")


sys.addaudithook(_hook)


@contextmanager
def _watched() -> Iterator[list[str]]:
    global _seen
    _seen = seen = []
    try:
        yield seen
    finally:
        _seen = None


class _Trigger:
    """Runs a command as soon as it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self._canary}'",)


def _pickled(file: Path, canary: Path) -> None:
    file.write_bytes(pickle.dumps(_Trigger(canary)))


def _saved_by_torch(file: Path, canary: Path) -> None:
    torch.save({"weight": _Trigger(canary)}, file)


def _zipped(file: Path, canary: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Trigger(canary)))


def _headed(length: int, header: bytes) -> Callable[[Path, Path], None]:
    return lambda file, canary: file.write_bytes(struct.pack("<Q", length) + header) and None


def _told(**tensor: Any) -> Callable[[Path, Path], None]:
    header = json.dumps({"conv_in.weight": {"dtype": "F32", "shape": [1], **tensor}}).encode()
    return _headed(len(header), header)


WEIGHTS = {
    "a pickle": _pickled,
    "a checkpoint of torch": _saved_by_torch,
    "a zip": _zipped,
    "nothing": lambda file, canary: file.write_bytes(b"") and None,
    "a header of 100 GB": _headed(100 * 2**30, b"{}"),
    "a header of 2⁶⁴": _headed(2**64 - 1, b"{}"),
    "a header cut short": _headed(1000, b'{"a":'),
    "a header that is no JSON": _headed(2, b"x\xff"),
    "a header of brackets": _headed(1_000_000, b"[" * 1_000_000),
    "tensors beyond its end": _told(data_offsets=[0, 2**40]),
    "tensors that end before they begin": _told(data_offsets=[8, 4]),
    "a shape beyond memory": _told(shape=[2**40, 2**40], data_offsets=[0, 4]),
}

CONFIGS = {
    "unet/config.json": {"trust_remote_code": True},
    "vae/config.json": {"auto_map": {"AutoModel": "evil.Evil"}},
    "text_encoder/config.json": {"nested": [{"auto_map": {"AutoModel": "evil.Evil"}}]},
    "tokenizer/tokenizer_config.json": {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}},
    "scheduler/scheduler_config.json": {"custom_pipeline": "evil/pipeline"},
    "model_index.json": {"custom_pipeline": "evil"},
}


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    return copytree(folders["sd"], tmp_path / "hostile-folder")


@pytest.fixture
def load(open_runner: MakeRunner, folder: Path) -> Callable[[], None]:
    model = Model(name="copy", family="sd", source=str(folder))
    return lambda: open_runner(models=Catalog((model,))).preload("copy")


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_none_are_refused_and_nothing_runs(
    folder: Path, load: Callable[[], None], tmp_path: Path, kind: str
) -> None:
    canary = tmp_path / "canary"
    [file] = (folder / "unet").glob("*.safetensors")
    WEIGHTS[kind](file, canary)
    with _watched() as seen, pytest.raises(ModelNotLoadable, match="model copy"):
        load()
    assert seen == []
    assert not canary.exists()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_that_asks_for_code_is_refused(
    folder: Path, load: Callable[[], None], name: str
) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | CONFIGS[name]))
    with _watched() as seen, pytest.raises(ModelNotLoadable, match="asks to run the model's own"):
        load()
    assert seen == []


def test_an_adapter_that_names_another_model_is_refused(
    folder: Path, load: Callable[[], None]
) -> None:
    other = {"base_model_name_or_path": "evil/model", "peft_type": "LORA"}
    (folder / "text_encoder" / "adapter_config.json").write_text(json.dumps(other))
    with pytest.raises(ModelNotLoadable, match="asks for another model"):
        load()


@pytest.mark.parametrize("name", ["model_index.json", "unet/config.json"])
def test_a_config_nested_too_deeply_is_refused(
    folder: Path, load: Callable[[], None], name: str
) -> None:
    (folder / name).write_text('{"a":' * 100_000)
    with pytest.raises(ModelNotLoadable, match="model copy"):
        load()


def test_the_hook_sees_what_runs(tmp_path: Path) -> None:
    _pickled(tmp_path / "x.pkl", tmp_path / "canary")
    with _watched() as seen:
        pickle.loads((tmp_path / "x.pkl").read_bytes())
    assert seen == ["pickle.find_class", "os.system"]
    assert (tmp_path / "canary").exists()
