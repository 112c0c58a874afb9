"""From a model of the catalogue and a pool's stages to what must be loaded for them."""

from collections.abc import Callable, Collection

from myriad.job import Stage
from myriad.model import Model
from myriad.pool import Pool
from workers.device import Device
from workers.families import find_family
from workers.families.modular import Modular
from workers.loaded import LoadedModel
from workers.modular_loading import plan_modular
from workers.options.placement import placement_of
from workers.plan import Plan
from workers.source import open_folder


def plan(
    model: Model,
    stages: Collection[Stage],
    pool: Pool,
    device: Device,
    on_load: Callable[[LoadedModel], None],
) -> Plan:
    """Find and check what `stages` of `model` need. Raises ModelNotLoadable, Absent.

    `on_load` must apply the pool's options.
    """
    family = find_family(model.family)
    if isinstance(family, Modular):
        return plan_modular(model, family, stages, device, on_load)
    parts = tuple(dict.fromkeys(part for stage in stages for part in family.components[stage]))
    needs_vae_config = Stage.DENOISE in stages and "vae" not in parts
    from_vae = ("vae" if family.vae_buffers else "vae_config",)
    wanted = (*parts, *from_vae) if needs_vae_config else parts
    folder = open_folder(model, family.pipeline.__name__, wanted)
    placement = placement_of(family, pool)
    return Plan(
        model, family, folder, parts, needs_vae_config, device, on_load, placement=placement
    )
