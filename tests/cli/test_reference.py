"""docs/cli.md is what the commands say."""

from myriad.cli.commands import PLACES
from myriad.cli.reference import cli_page
from tests.processes import ROOT


def test_the_page_is_current() -> None:
    page = cli_page()
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == page, "run `make docs`"
    for name in (*PLACES, "keys rotate"):
        assert f"\n### myriad {name}\n" in page
