"""docker-compose.yml as Compose reads it, with the variables of an .env file filled in."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
ENV_EXAMPLE = ROOT / "deploy" / "env.example"
ONE_SHOTS = {"migrate"}

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<kind>:[-?])(?P<rest>[^}]*)\}")


def services(
    env: Mapping[str, str] | None = None, path: Path = COMPOSE
) -> dict[str, dict[str, Any]]:
    """Every service by name; `env` fills in variables, without it they stay as written."""
    text = path.read_text("utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found if env is None else _fill(found, env)


def our_services(env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Those that run an image built here."""
    return {name: service for name, service in services(env).items() if "build" in service}


def variables(*paths: Path) -> dict[str, bool]:
    """Names that a file (docker-compose.yml) takes from .env, and whether it refuses to start
    without."""
    texts = [path.read_text("utf-8") for path in paths or (COMPOSE,)]
    matches = [match for text in texts for match in _VARIABLE.finditer(text)]
    return {match["name"]: match["kind"] == ":?" for match in matches}


def read_env(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of an .env file."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


def make_env(path: Path) -> dict[str, str]:
    """What deploy/make-env.sh writes to `path`."""
    subprocess.run(("sh", str(ROOT / "deploy" / "make-env.sh"), str(path)), check=True)
    return read_env(path)


def _fill(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill(item, env) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, env) for item in value]
    return _VARIABLE.sub(lambda match: _value(match, env), value) if type(value) is str else value


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    if found := env.get(match["name"]):
        return found
    if match["kind"] == ":?":
        raise KeyError(f"{match['name']}: {match['rest']}")
    return match["rest"]
