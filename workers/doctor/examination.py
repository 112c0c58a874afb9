"""The order of an examination."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from myriad.catalog import load_catalog
from myriad.model import Model
from myriad.pool import load_pools
from myriad.settings import Settings
from workers.doctor.advice import warnings
from workers.doctor.cost import measure
from workers.doctor.devices import find_devices
from workers.doctor.fit import OpenedPools, look_into, open_pools
from workers.doctor.machine import look_around
from workers.doctor.models import LocalModel, Size, sizes_of
from workers.doctor.recommend import recommend
from workers.doctor.report import CostReport, DeviceReport, ModelReport, Report


@dataclass(frozen=True)
class Request:
    """What was asked for: `model` None is the first that is here, `size` None its default."""

    model: str | None = None
    size: Size | None = None
    is_quick: bool = False
    budget_s: float = 60.0


def examine(settings: Settings, asked: Request, tell: Callable[[str], None]) -> Report:
    """Look at everything; `tell` hears what is being done.

    Raises ConfigError for settings, catalogue or pools that cannot be used, and
    InvalidRequest for an unknown model.
    """
    catalog = load_catalog(settings.catalog)
    wanted = catalog.find(asked.model) if asked.model else None
    tell("looking at the devices")
    machine, devices = look_around(), find_devices()
    pools = open_pools(load_pools(settings.pools), settings.device)
    models: list[ModelReport] = []
    found: dict[str, LocalModel] = {}
    for model in (*catalog.values(), *catalog.refiners.values()):
        tell(f"looking into {model.name}")
        size = asked.size if model is wanted or wanted is None else None
        report, local = look_into(model, pools, size, is_quick=asked.is_quick)
        models.append(report)
        if local is not None:
            found[model.name] = local
    costs = None if asked.is_quick else _costs(asked, wanted, found, pools, devices, tell)
    offered = list(catalog.values())
    return Report(
        machine=machine,
        devices=devices,
        models=tuple(models),
        costs=costs,
        warnings=warnings(machine, devices, models, offered, pools, costs),
        pools_toml=recommend(devices, models, costs),
    )


def _costs(
    asked: Request,
    wanted: Model | None,
    found: dict[str, LocalModel],
    pools: OpenedPools,
    devices: Sequence[DeviceReport],
    tell: Callable[[str], None],
) -> CostReport | None:
    name = wanted.name if wanted else next(iter(found), None)
    if name is None or name not in found:
        return None
    local = found[name]
    size = sizes_of(local.model, asked.size, is_quick=False)[0]
    tell(f"running {name} at {size.width}x{size.height}, for {asked.budget_s:.0f} s at most")
    return measure(local, size, pools, devices, asked.budget_s)
