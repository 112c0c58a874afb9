"""What is wrong here, or would be better otherwise: one sentence each."""

from collections.abc import Iterator, Sequence

from myriad.errors import ConfigError
from myriad.model import Model
from myriad.pool import Pool
from workers.doctor.fit import OpenedPools
from workers.doctor.hub import hub_trouble
from workers.doctor.report import Cost, CostReport, DeviceReport, Fit, MachineReport, ModelReport

_LONG_DECODE_S = 30.0
_MUCH_FASTER = 1.5


def warnings(
    machine: MachineReport,
    devices: Sequence[DeviceReport],
    models: Sequence[ModelReport],
    catalogue: Sequence[Model],
    pools: OpenedPools,
    costs: CostReport | None,
) -> tuple[str, ...]:
    """The gravest first."""
    return (
        *_missing_devices(pools),
        *_unfit(models),
        *_absent(models),
        *_packages(machine, catalogue),
        *_threads([pool for pool, _ in pools], machine),
        *_slow_precisions(pools, devices),
        *(_dear(costs, catalogue, tuple(pool for pool, _ in pools)) if costs else ()),
    )


def _missing_devices(pools: OpenedPools) -> Iterator[str]:
    for _, device in pools:
        if isinstance(device, ConfigError):
            yield f"{device.message}; start this pool's workers on another machine"


def _unfit(models: Sequence[ModelReport]) -> Iterator[str]:
    for model in models:
        for fit in _worst_fits(model):
            yield (
                f"{model.name} at {fit.width}x{fit.height} does not fit pool {fit.pool}"
                f" ({fit.stage}): {fit.note}"
            )


def _worst_fits(model: ModelReport) -> list[Fit]:
    """One a pool: the smallest size that does not fit."""
    unfit: dict[str, Fit] = {}
    for fit in sorted(model.fits, key=lambda fit: fit.width * fit.height):
        if fit.max_rows == 0:
            unfit.setdefault(fit.pool, fit)
    return list(unfit.values())


def _absent(models: Sequence[ModelReport]) -> Iterator[str]:
    absent = [model.name for model in models if not model.is_here]
    trouble = hub_trouble() if absent else ""
    if trouble:
        yield (
            f"{', '.join(absent)} must be downloaded first, but {trouble}; set HF_ENDPOINT to a"
            " mirror, or give a local folder as `source` in the catalogue"
        )


def _packages(machine: MachineReport, catalogue: Sequence[Model]) -> Iterator[str]:
    makes_video = any(model.limits.max_frames > 1 for model in catalogue)
    if makes_video and not machine.packages.get("av"):
        yield "package av is missing: no pool here can encode video; install it where videos decode"
    if any(model.family == "wan" for model in catalogue) and not machine.packages.get("ftfy"):
        yield "package ftfy is missing: Wan cleans prompts differently without it"


def _threads(pools: Sequence[Pool], machine: MachineReport) -> Iterator[str]:
    wanted = sum(pool.threads * pool.workers for pool in pools if pool.device == "cpu")
    if wanted > machine.cores:
        yield (
            f"the pools on the CPU have {wanted} torch threads together, this machine"
            f" {machine.cores} cores: threads that share a core wait for each other"
        )


def _slow_precisions(pools: OpenedPools, devices: Sequence[DeviceReport]) -> Iterator[str]:
    for pool, opened in pools:
        if isinstance(opened, ConfigError):
            continue
        name = str(opened.torch_device)
        device = next((each for each in devices if each.name.startswith(name)), None)
        if device is None:
            continue
        rates = {each.name: each.gflops for each in device.precisions if each.gflops}
        own, best = rates.get(pool.precision), max(rates, key=lambda each: rates[each] or 0)
        if own and (rates[best] or 0) > _MUCH_FASTER * own:
            yield (
                f"pool {pool.name} computes in {pool.precision}; {device.name} multiplies matrices"
                f" {(rates[best] or 0) / own:.1f}x as fast in {best}: compare the pictures, then"
                " decide"
            )


def _dear(costs: CostReport, catalogue: Sequence[Model], pools: Sequence[Pool]) -> Iterator[str]:
    model = next(each for each in catalogue if each.name == costs.model)
    tiny = [pool.name for pool in pools if pool.tiny_vae and model.tiny_vae]
    yield from _long_decodes([c for c in costs.of("decode") if c.pool not in tiny], model)
    alone = costs.of("denoise", rows=1, is_estimate=False)
    one = next((cost for cost in alone if cost.threads == 1), None)
    for cost in alone:
        if one and cost.threads > 1 and cost.seconds >= one.seconds:
            yield (
                f"{cost.threads} torch threads are no faster than one for {costs.model}"
                f" ({cost.seconds:.3f} s against {one.seconds:.3f} s a step): set threads = 1"
            )


def _long_decodes(decodes: Sequence[Cost], model: Model) -> Iterator[str]:
    for cost in decodes:
        largest = max(cost.width * cost.height, min(model.limits.max_pixels, 1024 * 1024))
        seconds = cost.seconds * largest / (cost.width * cost.height)
        if seconds > _LONG_DECODE_S:
            side = round(largest**0.5)
            given = "" if model.tiny_vae else ", and give the catalogue's entry a tiny autoencoder"
            yield (
                f"a full VAE decode of {model.name} at {side}x{side} takes about {seconds:.0f} s in"
                f" pool {cost.pool}: set tiny_vae = true there{given}, or let a pool with a GPU"
                " decode"
            )
