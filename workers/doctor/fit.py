"""Which of the catalogue's models fit which pool, at which sizes and with how many rows."""

from collections.abc import Callable, Sequence
from functools import partial
from math import isinf

from myriad.errors import ConfigError
from myriad.job import Stage
from myriad.model import Model
from myriad.pool import Pool
from workers.device import Device, open_device
from workers.doctor.models import LocalModel, Size, find_folder, sizes_of
from workers.doctor.report import Fit, ModelReport
from workers.error import short
from workers.memory.fake import NotTraceable
from workers.memory.free_memory import free_bytes
from workers.memory.row_limit import RowLimit
from workers.options.registry import check_options

OpenedPools = Sequence[tuple[Pool, Device | ConfigError]]


def open_pools(pools: Sequence[Pool], override: str) -> OpenedPools:
    """Each pool with its device as a worker would open it, or why that fails here."""
    opened: list[tuple[Pool, Device | ConfigError]] = []
    for pool in pools:
        try:
            device = open_device(pool, override)
            check_options(pool, device)
            opened.append((pool, device))
        except ConfigError as error:
            opened.append((pool, error))
    return opened


def look_into(
    model: Model, pools: OpenedPools, size: Size | None, *, is_quick: bool
) -> tuple[ModelReport, LocalModel | None]:
    """What can be told of a model without loading it."""
    report = partial(ModelReport, model.name, model.family)
    folder = find_folder(model.source, model.revision)
    if folder is None:
        return report(is_here=False, weights_bytes={}, note=f"{model.source} is not here"), None
    local = LocalModel(model, folder)
    try:
        weights = local.weights
        fits = tuple(
            fit
            for pool, device in pools
            for stage in Stage
            if pool.serves(stage, model.name)
            for each in sizes_of(model, size, is_quick=is_quick)
            for fit in (_fit(local, pool, device, stage, each),)
        )
    except Exception as error:  # torn files show as errors of many libraries
        return report(is_here=True, weights_bytes={}, note=short(error)), None
    return report(is_here=True, weights_bytes=weights, fits=fits), local


def _fit(
    local: LocalModel, pool: Pool, device: Device | ConfigError, stage: Stage, size: Size
) -> Fit:
    fit = partial(Fit, pool.name, stage.value, size.width, size.height, size.num_frames)
    weights = local.weights_of(pool.stages, pool.precision, is_offloaded=pool.offload != "none")
    if weights > int(pool.memory):
        return fit(0, note=f"its weights, {gib(weights)}, exceed the pool's memory")
    if isinstance(device, ConfigError):
        return fit(None, note="the pool cannot run here")
    if stage is Stage.ENCODE:
        return fit(None, note="its weights fit")
    try:
        memory = local.row_memory(stage, size, local.setting(pool, device))
    except NotTraceable as error:
        return fit(None, note=str(error))
    rows = RowLimit(memory, _share_of(pool, device), weights).room_rows()
    if isinf(rows):
        return fit(None, memory.b_bytes, "the device does not tell its free memory")
    return fit(int(rows), memory.b_bytes, "" if rows else "not one row fits the free memory")


def _share_of(pool: Pool, device: Device) -> Callable[[], int | None]:
    """Free memory, of which every worker of the pool on that device will want as much."""
    sharing = pool.workers if pool.device_of(0) == pool.device_of(1) else 1

    def share() -> int | None:
        free = free_bytes(device.torch_device)
        return None if free is None else free // sharing

    return share


def gib(size_bytes: int) -> str:
    """For people, in GiB or MiB."""
    if size_bytes < 2**30:
        return f"{size_bytes / 2**20:,.0f} MiB"
    return f"{size_bytes / 2**30:,.1f} GiB"
