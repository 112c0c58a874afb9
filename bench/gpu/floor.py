"""The least time that the arithmetic allows: counted operations over the device's peak rate."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.gpu.case import Case
from bench.gpu.clock import Clock
from bench.gpu.subject import Subject
from bench.gpu.subjects import subject

# Dense bf16 TFLOP/s by the makers' data sheets, without sparsity; the longest name wins.
DATASHEET_TFLOPS = {
    "B200": 2250.0,
    "H200": 989.4,
    "H100": 989.4,
    "H100 PCIe": 756.0,
    "A100": 312.0,
    "A10": 125.0,
    "L40S": 362.0,
    "L40": 181.0,
    "L4": 121.0,
    "RTX 4090": 165.2,
    "RTX 5090": 209.5,
}
_MATRIX = 8192


def job_flops(case: Case) -> float:
    """Operations (2 per multiply-add) of a whole job, counted on weightless models."""
    meta = subject(case, torch.device("meta"))
    return (
        _encode_flops(meta) + case.forwards * forward_flops(meta, case.rows) + _decode_flops(meta)
    )


def forward_flops(meta: Subject, rows: int) -> float:
    """Operations of one forward of the denoiser; `meta` lives on the meta device."""
    positional, named = meta.inputs(rows)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta.denoiser(*positional, **named)
    return float(counter.get_total_flops())


def _encode_flops(meta: Subject) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta.encode()
    return float(counter.get_total_flops())


def _decode_flops(meta: Subject) -> float:
    latents = meta.noise(1)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta.pipe.vae.decode(latents, return_dict=False)
    return float(counter.get_total_flops())


def measured_tflops(clock: Clock, size: int = _MATRIX) -> float:
    """What a large bf16 matrix product reaches here, on random numbers."""
    one, other = (torch.randn(size, size, device=clock.device).bfloat16() for _ in range(2))
    for _ in range(3):
        one @ other
    return 2 * size**3 / clock.median(lambda: one @ other, budget_s=1, least=5).median_s / 1e12


def peak_tflops(device_name: str, measured: float) -> float:
    """The data sheet's rate where we know it, else what was measured."""
    known = [name for name in DATASHEET_TFLOPS if name in device_name]
    return DATASHEET_TFLOPS[max(known, key=len)] if known else measured
