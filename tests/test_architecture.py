"""The import graph and the pages of docs/ are what they claim to be."""

import json
import subprocess
import sys
import tomllib
from itertools import chain

import pytest
from importlinter.cli import lint_imports
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from myriad import errors
from myriad.pools_page import pools_page
from myriad.reference import errors_page, settings_page
from tests.processes import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
HEAVY = {"torch", "diffusers", "transformers", "flask", "celery", "sqlalchemy", "redis", "boto3"}
TRACES = "myriad.otlp"  # brings OpenTelemetry in
NEVER = {
    "web": {"torch", "diffusers", "transformers", "workers", "model", TRACES},
    "tasks.worker, tasks.janitor, tasks.sender": {"torch", "diffusers", "flask", "PIL", TRACES},
    "myriad.client": HEAVY | {"PIL", "pydantic"},
    "myriad.cli": HEAVY,
    "myriad.up.guard": HEAVY | {"httpx", "pydantic"},
}


def test_the_rooms_import_whom_they_may() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), is_debug_mode=True) == 0


@pytest.mark.parametrize("modules", NEVER)
def test_importing_a_room_leaves_the_others_out(modules: str) -> None:
    code = f"import {modules}, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, check=True)
    assert not NEVER[modules] & set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("settings.md", settings_page()),
        ("errors.md", errors_page()),
        ("pools.md", pools_page()),
    ],
)
def test_the_pages_made_from_code_are_current(name: str, page: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == page, "run `make docs`"


def test_every_error_code_is_explained() -> None:
    codes = {kind.code for kind in vars(errors).values() if hasattr(kind, "code")}
    assert {code for code in codes if f"| `{code}` |" not in errors_page()} == set()


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = PYPROJECT["tool"]["setuptools"]["packages"]
    rooms = PYPROJECT["tool"]["importlinter"]["root_packages"]
    files = (path for room in rooms for path in (ROOT / room).rglob("__init__.py"))
    assert set(listed) == {".".join(file.parent.relative_to(ROOT).parts) for file in files}


def test_every_dependency_is_pinned() -> None:
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    pins = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]
    assert {str(pin.specifier)[:2] for pin in pins} == {"=="}
    pinned = {canonicalize_name(pin.name) for pin in pins}
    assert {canonicalize_name(Requirement(each).name) for each in wanted} <= pinned
