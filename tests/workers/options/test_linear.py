"""Linear layers by oneDNN: really so, to the same numbers, and only where they can be."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from myriad.errors import ConfigError
from tests.workers.options.put import SD, draw, pool_with, put_on
from workers.device import open_device
from workers.options import linear
from workers.options.linear import Linear, OneDnnLinear
from workers.options.registry import check_options

AMD = "vendor_id\t: AuthenticAMD\n"
INTEL = "vendor_id\t: GenuineIntel\n"


def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cpuinfo: str) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo)
    monkeypatch.setattr(linear, "_CPUINFO", path)


def products(pipe: Any) -> set[str]:
    """The kinds of kernels of matrix products that drawing calls."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        draw(pipe)
    names = {event.key for event in seen.key_averages()}
    return names & {"mkldnn::_linear_pointwise", "aten::addmm"}


def test_every_linear_layer_is_onednns_and_draws_the_same(
    monkeypatch: pytest.MonkeyPatch, pipe: Any
) -> None:
    monkeypatch.setattr(linear, "_LEAST_PRODUCTS", 0)  # the tiny model has none that are large
    exact = draw(pipe)
    assert products(pipe) == {"aten::addmm"}
    put_on(pipe, linear="onednn")
    assert products(pipe) == {"mkldnn::_linear_pointwise"}
    assert (draw(pipe) - exact).abs().max() < 1e-4


def test_small_products_are_left_to_torch() -> None:
    layer = OneDnnLinear(8, 8)
    plain = torch.nn.functional.linear(x := torch.ones(3, 8), layer.weight, layer.bias)
    with torch.no_grad(), profile(activities=[ProfilerActivity.CPU]) as seen:
        assert torch.equal(layer(x), plain)
    assert "mkldnn::_linear_pointwise" not in {event.key for event in seen.key_averages()}


def test_weights_keep_their_names_and_other_types_their_kernels(
    monkeypatch: pytest.MonkeyPatch, pipe: Any
) -> None:
    names = set(pipe.unet.state_dict())
    put_on(pipe, linear="onednn")
    assert set(pipe.unet.state_dict()) == names
    monkeypatch.setattr(linear, "_LEAST_PRODUCTS", 0)
    layer = OneDnnLinear(4, 2).to(torch.bfloat16)
    plain = torch.nn.functional.linear(x := torch.ones(3, 4).bfloat16(), layer.weight, layer.bias)
    with torch.no_grad():
        assert torch.equal(layer(x), plain)


def test_it_is_refused_where_it_would_change_nothing() -> None:
    pool = pool_with(linear="onednn", precision="bf16")
    with pytest.raises(ConfigError, match="linear onednn"):
        check_options(pool, open_device(pool))


@pytest.mark.parametrize(("cpuinfo", "is_taken"), [(AMD, True), (INTEL, False)])
def test_auto_takes_it_on_amds_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pipe: Any, cpuinfo: str, is_taken: bool
) -> None:
    machine(monkeypatch, tmp_path, cpuinfo)
    put_on(pipe, linear="auto")
    assert any(isinstance(part, OneDnnLinear) for part in pipe.unet.modules()) == is_taken


def test_auto_is_nothing_to_a_pool_that_is_given_another_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pipe: Any
) -> None:
    machine(monkeypatch, tmp_path, AMD)
    pool = pool_with(linear="auto")
    other = open_device(pool_with(precision="bf16"))  # as fp32's, opened elsewhere
    Linear().check(pool, other)
    assert Linear().apply(SD, pipe, pool, other)
    assert not any(isinstance(part, OneDnnLinear) for part in pipe.unet.modules())
