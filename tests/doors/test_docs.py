"""Every snippet of docs/doors.md, run as it stands, leaves a picture."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.doors.conftest import DoorFarm
from tests.processes import ROOT

pytestmark = pytest.mark.timeout(300)
PAGE = (ROOT / "docs" / "doors.md").read_text("utf-8")
PICTURES = {".png", ".jpeg", ".jpg", ".webp"}
SHELLS = {"python": (sys.executable, "-c"), "sh": ("bash", "-euo", "pipefail", "-c")}


def snippets() -> Iterator[object]:
    """Language and text of each block, called by its heading."""
    for section in PAGE.split("\n## ")[1:]:
        heading = section.partition("\n")[0]
        for language, text in re.findall(r"^```(python|sh)\n(.*?)^```", section, re.M | re.S):
            yield pytest.param(language, text, id=heading)


@pytest.mark.parametrize(("language", "text"), list(snippets()))
def test_a_snippet_leaves_a_picture(
    door_farm: DoorFarm, tmp_path: Path, language: str, text: str
) -> None:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    known = {"MYRIAD_URL": door_farm.url, "MYRIAD_KEY": door_farm.key}
    done = subprocess.run(
        [*SHELLS[language], text],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **known},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = [file for file in tmp_path.iterdir() if file.suffix in PICTURES]
    assert pictures
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()
