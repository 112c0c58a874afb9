"""docker-compose.yml and its Dockerfile hold together: names, commands, checks, secrets."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from myriad.cli.commands import PLACES
from myriad.job import Stage
from myriad.pool import load_pools
from myriad.secret import load_webhook_secret
from myriad.settings import Settings, load_settings
from tests.deploy.compose import (
    COMPOSE,
    DOCKERFILE,
    ENV_EXAMPLE,
    ONE_SHOTS,
    make_env,
    our_services,
    read_env,
    services,
    variables,
)
from tests.processes import ROOT

OURS = our_services()
ALL = services()
POOL_FILES = ("deploy/pools.toml", "deploy/pools-gpu.toml")
SETTINGS = {f"MYRIAD_{name.upper()}" for name in Settings.model_fields}
# Read by docker-compose.yml alone, to choose files, a folder and an address of the host.
HOST_VARIABLES = {
    *("MYRIAD_BIND", "MYRIAD_CATALOG_FILE", "MYRIAD_CONTENT", "MYRIAD_MODELS"),
    *("MYRIAD_POOLS_FILE", "MYRIAD_PRIVATE_ADDRESS"),
}
# Written by deploy/make-worker-env.sh.
OF_WORKERS = {
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MYRIAD_DATABASE_URL", "MYRIAD_REDIS_URL"),
    *("MYRIAD_S3_ENDPOINT_URL", "MYRIAD_S3_REGION", "MYRIAD_STORAGE_URL"),
}
# Settings that mean nothing here: of `myriad up`, of one process, of tests of the farm itself.
NOT_GIVEN = {"MYRIAD_KEEP_LOGS_DAYS", "MYRIAD_DEVICE", "MYRIAD_FAULTS", "MYRIAD_CLOCK_FILE"}
COMPOSE_FILES = (COMPOSE, *sorted(DOCKERFILE.parent.glob("compose.*.yml")))


def test_compose_follows_the_compose_specification() -> None:
    checker = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec")
    done = subprocess.run((*checker, *map(str, COMPOSE_FILES)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", OURS)
def test_commands_are_real(name: str) -> None:
    program, command, *rest = OURS[name]["command"]
    assert program == "myriad"
    assert command in PLACES
    if command == "worker":
        files = POOL_FILES if "profiles" not in OURS[name] else POOL_FILES[1:]
        pools = [{pool.name for pool in load_pools(ROOT / file)} for file in files]
        assert all(rest[0] in names for names in pools)


@pytest.mark.parametrize("name", sorted(set(ALL) - ONE_SHOTS))
def test_every_service_is_checked_and_restarted(name: str) -> None:
    test = ALL[name]["healthcheck"]["test"]
    assert test[0] in ("CMD", "CMD-SHELL")
    if name in OURS:
        assert test[1:4] == ["python", "-m", "tasks.health"]
        assert find_spec(test[3])
    assert ALL[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(set(OURS) - ONE_SHOTS))
def test_nothing_starts_before_the_migration(name: str) -> None:
    wait = OURS[name]["depends_on"]
    assert wait["migrate"] == {"condition": "service_completed_successfully"}
    assert wait["valkey"] == wait["garage"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", OURS)
def test_every_setting_can_be_given(name: str) -> None:
    given = {key for key in OURS[name]["environment"] if key.startswith("MYRIAD_")}
    assert given == SETTINGS - NOT_GIVEN


def test_a_variable_left_empty_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings()
    assert load_settings().catalog is None


def test_the_example_names_every_variable_and_no_other() -> None:
    text = ENV_EXAMPLE.read_text()
    named = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named == set(variables(*COMPOSE_FILES)) - OF_WORKERS | {
        "COMPOSE_FILE",
        "COMPOSE_PROFILES",
    }
    assert {name for name in named if name.startswith("MYRIAD_")} <= SETTINGS | HOST_VARIABLES


def test_no_secret_has_a_value_until_it_is_made(tmp_path: Path) -> None:
    required = {name for name, is_required in variables().items() if is_required}
    assert read_env(ENV_EXAMPLE) == dict.fromkeys(required, "")
    first, second = make_env(tmp_path / "first"), make_env(tmp_path / "second")
    assert set(first) == required
    assert all(first[name] != second[name] and len(first[name]) >= 26 for name in required)
    assert (tmp_path / "first").stat().st_mode & 0o077 == 0


def test_a_secret_is_never_replaced(tmp_path: Path) -> None:
    before = make_env(tmp_path / "env")
    with pytest.raises(subprocess.CalledProcessError):
        make_env(tmp_path / "env")
    assert read_env(tmp_path / "env") == before


def test_made_secrets_are_of_the_right_shape(tmp_path: Path) -> None:
    env = make_env(tmp_path / "env")
    ours = our_services(env)["web"]["environment"]
    settings = Settings.model_validate(
        # An empty variable is none (`env_ignore_empty`).
        {key.removeprefix("MYRIAD_").lower(): value for key, value in ours.items() if value}
    )
    assert load_webhook_secret(settings.webhook_secret, tmp_path / "none")
    assert re.fullmatch(r"[A-Za-z0-9]+", env["POSTGRES_PASSWORD"] + env["VALKEY_PASSWORD"])


@pytest.mark.parametrize("name", ALL)
def test_passwords_come_from_the_environment(name: str) -> None:
    for key, value in ALL[name].get("environment", {}).items():
        literal = re.sub(r"\$\{\w+:\?[^}]*\}", "", value)
        if re.search(r"PASSWORD|SECRET|ACCESS_KEY|AUTH$", key):
            assert literal == "", key
        assert not re.search(r"://[^/@]*:[^@]+@", literal), key


@pytest.mark.parametrize("name", sorted(set(ALL) - set(OURS)))
def test_foreign_images_are_pinned(name: str) -> None:
    image, _, tag = ALL[name]["image"].partition(":")
    assert re.search(r"\d+\.\d+\.?\d*", tag), f"{image} has no version"


@pytest.mark.parametrize("name", ALL)
def test_containers_are_locked_down(name: str) -> None:
    service = ALL[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_only_web_and_pictures_are_published_and_only_here() -> None:
    published = {name: service["ports"] for name, service in ALL.items() if "ports" in service}
    assert set(published) == {"web", "garage"}
    assert all(
        port.startswith("${MYRIAD_BIND:-127.0.0.1}:")
        for ports in published.values()
        for port in ports
    )


def test_mounts_are_files_of_ours_or_named_volumes() -> None:
    named = yaml.safe_load(COMPOSE.read_text("utf-8"))["volumes"]
    for service in services({name: "x" for name, needed in variables().items() if needed}).values():
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            is_ours = source.startswith("./") and (ROOT / source).exists()
            assert is_ours or source in named or source == "./models", source


def test_the_database_takes_every_connection_there_may_be() -> None:
    command = ALL["postgres"]["command"]
    (most,) = (int(word.partition("=")[2]) for word in command if "max_connections" in word)
    each = Settings().database_pool_size + Settings().database_pool_extra
    assert most >= each * 20


def test_each_worker_of_several_gpus_takes_its_own() -> None:
    commands = [each["command"] for each in OURS.values() if each["command"][2:3] == ["gpu"]]
    (pool,) = (each for each in load_pools(ROOT / POOL_FILES[1]) if each.name == "gpu")
    indices = [int(command[4]) if "--index" in command else 0 for command in commands]
    assert [pool.device_of(index) for index in indices] == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize("file", POOL_FILES)
def test_pools_serve_every_stage_of_every_model(file: str) -> None:
    pools = load_pools(ROOT / file)
    assert {stage for pool in pools for stage in pool.stages} == set(Stage)
    assert all("*" in pool.models for pool in pools)
