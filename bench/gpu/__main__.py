"""What an NVIDIA GPU gives with stock diffusers and with our lossless settings.

python -m bench.gpu [--only sd15,sdxl,sdxl2048,wan,scaling] [--limit-s 540] [--steps N]
python -m bench.gpu --tiny      every piece at tiny sizes, on any machine

Random weights at the published sizes; nothing is downloaded. Results of several runs
on one device meet in one file, so each run may take some of the cases.
"""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import torch

from bench.gpu.case import CASES, NAMES, ROWS, SCALING, Case, tiny
from bench.gpu.clock import Budget, Clock
from bench.gpu.floor import measured_tflops, peak_tflops
from bench.gpu.measure import Compiler, measure
from bench.gpu.report import Report, merge, path_for, print_report
from bench.gpu.scaling import USUAL, scaling

RESULTS = Path(__file__).resolve().parent.parent / "results"
_RECOMPILATIONS = 64  # one for each shape and case is what we ask for, not a mistake


def main(arguments: Sequence[str] | None = None) -> Report:
    """Measure the cases asked for and print them; each is kept as soon as it is there."""
    options = _options(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch._dynamo.config.recompile_limit = _RECOMPILATIONS
    if options.tiny:
        torch.set_num_threads(1)
    clock = Clock(torch.device("cpu"), 0.0) if options.tiny else Clock(torch.device("cuda"))
    report = _head(clock)
    for name, figures in _figures(options, clock, report["peak_tflops"]):
        report["cases"][name] = figures
        if options.out:
            merge(path_for(options.out, report["device"]), report)
    print_report(report)
    return report


def _figures(options: argparse.Namespace, clock: Clock, tflops: float) -> Any:
    """Name and figures of each case, one after another."""
    compiler = Compiler("eager") if options.tiny else Compiler(mode=options.mode)
    budget = Budget(options.limit_s)
    names = USUAL
    for case in (_fit(case, options) for case in CASES):
        if case.name in options.only:
            yield case.name, (found := _one(case, clock, tflops, compiler, budget))
            if case.name == CASES[0].name and "fast" in found:
                names = tuple(found["fast"]["settings"])
    if SCALING in options.only:
        case, rows = _fit(CASES[0], options), ROWS[:1] if options.tiny else ROWS
        yield SCALING, {"rows": scaling(case, clock, tflops, compiler, budget, rows, names)}


def _one(
    case: Case, clock: Clock, tflops: float, compiler: Compiler, budget: Budget
) -> dict[str, Any]:
    if budget.left_s <= 0:
        return {"error": "no time left"}
    try:
        return measure(case, clock, tflops, compiler, budget)
    except torch.OutOfMemoryError as error:
        return {"error": f"out of memory: {str(error).splitlines()[0]}"}


def _fit(case: Case, options: argparse.Namespace) -> Case:
    case = tiny(case) if options.tiny else case
    return replace(case, steps=options.steps) if options.steps else case


def _head(clock: Clock) -> Report:
    name = torch.cuda.get_device_name(clock.device) if clock.is_cuda else "CPU (tiny models)"
    measured = measured_tflops(clock) if clock.is_cuda else measured_tflops(clock, size=64)
    return {
        "device": name,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "peak_tflops": peak_tflops(name, measured),
        "measured_tflops": measured,
        "cases": {},
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU")
    parser.add_argument("--only", default=",".join(NAMES), help="names, comma separated")
    parser.add_argument("--limit-s", type=float, default=540, help="start nothing after this")
    parser.add_argument("--steps", type=int, help="instead of 50")
    parser.add_argument(
        "--mode",
        choices=("default", "max-autotune-no-cudagraphs"),
        help="of torch.compile; the graphs are ours",
    )
    parser.add_argument("--out", type=Path, help=f"folder of the JSON file; else {RESULTS.name}/")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if not options.tiny and not torch.cuda.is_available():
        parser.error("no CUDA device here; --tiny runs every piece on the CPU")
    if options.out is None and not options.tiny:
        options.out = RESULTS
    return options


if __name__ == "__main__":
    main()
