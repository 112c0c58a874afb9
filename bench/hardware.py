"""What machine a figure was measured on."""

import os
import platform
from pathlib import Path


def describe() -> str:
    """Architecture, cores and processor in one line."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, "unknown")
