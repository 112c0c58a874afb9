"""Muon for weight matrices and convolutions, AdamW for everything else, as one optimizer."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


class MuonAdamW:
    """torch's Muon over 2-d copies of every inner weight, and AdamW for biases, norms, embeddings.

    torch.optim.Muon takes matrices only; a convolution of shape (out, in, h, w) joins as a copy of
    shape (out, in*h*w) that is written back after each step. Steps are scaled to match AdamW's
    update size (Moonshot, arXiv 2502.16982), so both learning rates live on one scale.
    """

    def __init__(
        self, model: nn.Module, lr: float, adamw_share: float = 0.5, weight_decay: float = 0.0
    ) -> None:
        self._views: list[tuple[nn.Parameter, nn.Parameter]] = []
        rest: list[nn.Parameter] = []
        for parameter, is_matrix in _inner_weights(model):
            if is_matrix:
                view = nn.Parameter(parameter.detach().reshape(parameter.shape[0], -1).clone())
                self._views.append((parameter, view))
            else:
                rest.append(parameter)
        self._parameters = [p for p, _ in self._views] + rest
        self._adamw_share = adamw_share
        self._muon: Any = torch.optim.Muon(
            [view for _, view in self._views],
            lr=lr,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adamw = torch.optim.AdamW(
            rest, lr=lr * adamw_share, betas=(0.9, 0.99), weight_decay=weight_decay
        )

    def step(self, lr: float, max_norm: float = 1.0) -> None:
        """Clip the gradient's norm, apply one update at learning rate `lr`, clear gradients."""
        nn.utils.clip_grad_norm_(self._parameters, max_norm)
        for parameter, view in self._views:
            view.data.copy_(parameter.detach().view_as(view))
            view.grad = None if parameter.grad is None else parameter.grad.reshape(view.shape)
        for group in self._muon.param_groups:
            group["lr"] = lr
        for group in self._adamw.param_groups:
            group["lr"] = lr * self._adamw_share
        self._muon.step()
        self._adamw.step()
        with torch.no_grad():
            for parameter, view in self._views:
                parameter.copy_(view.view(parameter.shape))
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, object]:
        """Both optimizers' states, for a checkpoint."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: dict[str, dict[str, object]]) -> None:
        """Restore what `state_dict` gave."""
        self._muon.load_state_dict(state["muon"])
        self._adamw.load_state_dict(state["adamw"])


def _inner_weights(model: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """Every trainable parameter, and whether Muon takes it: matrices but embeddings and ends."""
    outer = {
        id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding) and m.weight.ndim == 2
    }
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_end = name.startswith(("conv_in", "conv_out", "encoder.conv_in", "decoder.conv_out"))
        yield parameter, parameter.ndim >= 2 and id(parameter) not in outer and not is_end
