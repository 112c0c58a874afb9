"""The figures as a table and as a file that several runs fill together."""

import json
import re
from pathlib import Path
from typing import Any

from bench.gpu.ladder import STOCK

Report = dict[str, Any]


def path_for(folder: Path, device_name: str) -> Path:
    """`gpu-nvidia-h200.json` for "NVIDIA H200"."""
    return folder / f"gpu-{re.sub('[^a-z0-9]+', '-', device_name.lower()).strip('-')}.json"


def merge(path: Path, report: Report) -> Report:
    """What the file holds, with this run's cases in place of older ones; written back."""
    before: Report = json.loads(path.read_text("utf-8")) if path.exists() else {}
    together = before | report | {"cases": before.get("cases", {}) | report["cases"]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(together, indent=2) + "\n")
    return together


def print_report(report: Report) -> None:
    """Seconds of a job and what was tried, case by case."""
    print(f"{report['device']}, torch {report['torch']}, diffusers {report['diffusers']}")
    print(
        f"bf16 peak {report['peak_tflops']:.4g} TFLOP/s,"
        f" a large product reaches {report['measured_tflops']:.4g}"
    )
    for name, case in report["cases"].items():
        if "error" in case:
            print(f"\n{name}: {case['error']}")
        elif "rows" in case:
            _print_scaling(name, case["rows"])
        else:
            _print_case(case)


def _print_case(case: Report) -> None:
    print(f"\n{case['title']}: {case['speedup']:.2f}x stock eager (aim {case['aim']}x)")
    print(
        f"{'':10}{'encode':>10}{'denoise':>10}{'decode':>10}{'total':>10}{'of floor':>10}{'GiB':>8}"
    )
    for side in ("stock", "fast"):
        row = case[side]
        times = "".join(
            f"{row[f'{stage}_s']:10.4f}" for stage in ("encode", "denoise", "decode", "total")
        )
        peak = row["peak_bytes"]
        memory = f"{peak / 2**30:8.1f}" if peak is not None else f"{'-':>8}"
        print(f"{side:10}{times}{row['share_of_floor']:10.1%}{memory}")
    print(f"final latents: {case['latents']['vs_stock']:.2e} from stock's (relative)")
    eager_ms = case["stock"]["forward_s"] * 1e3
    print(f"one forward, launched by the host kernel by kernel: {eager_ms:.3f} ms; settings tried:")
    for part in ("denoiser", "vae"):
        for rung in case[f"{part}_rungs"]:
            _print_rung(part, rung)


def _print_rung(part: str, rung: Report) -> None:
    if rung["forward_s"] is None:
        print(f"  {part:9}{rung['name']:28}{rung['note']}")
        return
    mark = "kept" if rung["is_kept"] else rung["note"] or "undone: not faster"
    mark = "" if rung["name"] == STOCK else mark
    print(
        f"  {part:9}{rung['name']:28}{rung['forward_s'] * 1e3:10.3f} ms"
        f"  {rung['vs_fp32']:.1e} from fp32  {mark}"
    )


def _print_scaling(name: str, rows: list[Report]) -> None:
    print(f"\n{name}: one forward by rows, stock and fast")
    print(f"{'rows':>6}{'stock ms':>12}{'fast ms':>12}{'speedup':>10}{'of floor':>10}")
    for row in rows:
        if "fast_s" in row:
            share = row["floor_s"] / row["fast_s"]
            print(
                f"{row['rows']:6}{row['stock_s'] * 1e3:12.3f}{row['fast_s'] * 1e3:12.3f}"
                f"{row['speedup']:10.2f}{share:10.1%}"
            )
        else:
            print(f"{row['rows']:6}{row['stock_s'] * 1e3:12.3f}{'no time left':>12}")
