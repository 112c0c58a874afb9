"""Reports of machines that are not here."""

from typing import Any

from workers.doctor.report import Cost, CostReport, DeviceReport, MachineReport, PrecisionReport

GIB = 2**30
MACHINE = MachineReport("Linux", "a processor", "AVX2", 4, "3.11", {"av": "18.0"}, {"C++": "g++"})


def device(name: str, free_gib: float, **gflops: float | None) -> DeviceReport:
    """A device with these precisions; None: it does not work there."""
    return DeviceReport(
        name=name,
        title="a device",
        total_bytes=int(free_gib * 1.2 * GIB),
        free_bytes=int(free_gib * GIB),
        precisions=tuple(PrecisionReport(k, v is not None, v) for k, v in gflops.items()),
        attention=("native",),
    )


CPU = device("cpu", 21.3, fp32=150.0, fp16=2.0, bf16=300.0)


def cost(stage: str, rows: int, seconds: float, **changes: Any) -> Cost:
    """On one CPU thread at 128x128 unless said otherwise."""
    fields: dict[str, Any] = {
        "stage": stage,
        "pool": "all",
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "rows": rows,
        "width": 128,
        "height": 128,
        "seconds": seconds,
    }
    return Cost(**fields | changes)


def costs(*each: Cost) -> CostReport:
    return CostReport("myriad-shapes", 128, 128, each)
