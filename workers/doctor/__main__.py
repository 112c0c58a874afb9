"""`python -m workers.doctor`: what `myriad doctor` runs, where torch may be imported."""

import argparse
import json
import os
import sys
import warnings

from myriad.errors import MyriadError
from myriad.settings import load_settings


def main(argv: list[str]) -> None:
    # Read by diffusers and transformers when they are imported, below.
    os.environ.setdefault("DIFFUSERS_DISABLE_REMOTE_CODE", "1")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.simplefilter("ignore")  # libraries' words to programmers; the report has its own
    from workers.doctor.examination import Request, examine
    from workers.doctor.models import Size
    from workers.doctor.text import open_console, show

    given = _parser().parse_args(argv)
    size = Size(*map(int, given.size.split("x"))) if given.size else None
    asked = Request(given.model, size, given.quick, given.budget)
    report = examine(load_settings(), asked, lambda what: _say(f"{what} …"))
    if given.json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        show(report, open_console())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m workers.doctor")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--model")
    parser.add_argument("--size")
    parser.add_argument("--budget", type=float, default=60.0)
    return parser


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except MyriadError as error:
        sys.exit(f"error: {error.message}")
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed; a worker needs myriad-farm[worker]")
