"""Which models of the catalogue the farm's pools can draw with."""

from collections.abc import Iterable
from dataclasses import replace

import structlog

from myriad.catalog import Catalog
from myriad.errors import ConfigError
from myriad.farm import Farm
from myriad.job import Stage
from myriad.pool import Pool

_log = structlog.get_logger(__name__)


def unserved_stages(pools: Iterable[Pool], model: str) -> list[Stage]:
    """The stages of the model that none of these pools does."""
    return [stage for stage in Stage if not any(pool.serves(stage, model) for pool in pools)]


def with_served_models(farm: Farm) -> Farm:
    """The farm, its catalogue cut down to models that some pool serves at each stage.

    Logs a warning for each that is left out. Raises ConfigError if none is left.
    """
    unserved = {name: unserved_stages(farm.pools, name) for name in farm.catalog}
    for name, stages in unserved.items():
        if stages:
            _log.warning("model_not_served", model=name, stages=[str(stage) for stage in stages])
    served = frozenset(name for name, stages in unserved.items() if not stages)
    if not served:
        raise ConfigError("no model of the catalogue has a pool for each of its stages")
    return replace(farm, catalog=_cut_down(farm.catalog, served))


def _cut_down(catalog: Catalog, names: frozenset[str]) -> Catalog:
    """These models, and what may be added to any of them, in the order they had."""
    return Catalog(
        [*(model for name, model in catalog.items() if name in names), *catalog.refiners.values()],
        [lora for lora in catalog.loras.values() if not names.isdisjoint(lora.models)],
        [net for net in catalog.controlnets.values() if not names.isdisjoint(net.models)],
    )
