"""The images: every one we name can be built, holds what it needs, and is no one's root."""

import re
import tomllib

import pytest

from tests.deploy.compose import DOCKERFILE, our_services
from tests.processes import ROOT

OURS = our_services()


@pytest.mark.parametrize("name", OURS)
def test_every_image_we_build_is_in_the_dockerfile(name: str) -> None:
    build = OURS[name]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]) == DOCKERFILE
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert build["target"] in stages


def test_what_the_dockerfile_copies_exists_and_is_let_in() -> None:
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored, source


def test_the_dockerfile_copies_every_package_of_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.split(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    copied = re.findall(r"^COPY (\w+) \1$", DOCKERFILE.read_text(), re.MULTILINE)
    assert set(copied) == packages


def test_what_needs_packages_in_an_image_has_them() -> None:
    installs = re.findall(r"\.whl\)\[([\w,]+)\]", DOCKERFILE.read_text())
    assert [extras.split(",")[-1] for extras in installs] == ["telemetry"] * 3
    optional = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(set(each.split(",")) <= set(optional["optional-dependencies"]) for each in installs)


def test_base_images_are_pinned() -> None:
    bases = re.findall(r"^FROM (\S+:\S+) AS", DOCKERFILE.read_text(), re.MULTILINE)
    assert bases
    assert all(re.search(r":\d+\.\d+", base) for base in bases)


def test_no_image_runs_as_root() -> None:
    final = DOCKERFILE.read_text().split(" AS runtime")[1]
    assert re.search(r"^USER myriad$", final, re.MULTILINE)
    assert "USER root" not in final
    assert final.count("\nHEALTHCHECK ") == final.count("FROM runtime AS ")
