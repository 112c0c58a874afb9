"""The bare forward pass: what no engine can beat."""

import statistics
import time
from typing import Any

import torch

_ROUNDS = 12


@torch.no_grad()
def raw_rows_per_second(unet: Any, rows: int, size: int = 128) -> float:
    """Rows a second of one forward pass after another, nothing between them."""
    side = size // 8
    sample = torch.randn(rows, unet.config.in_channels, side, side)
    text = torch.randn(rows, 77, unet.config.cross_attention_dim)
    time_of_row = torch.full((rows,), 500.0)
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        unet(sample, time_of_row, text, return_dict=False)
        seconds.append(time.perf_counter() - start)
    return rows / statistics.median(seconds[2:])
