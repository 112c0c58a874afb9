"""Is the process alive, is the farm ready, and what is it busy with."""

from collections.abc import Callable, Collection, Iterator
from contextlib import suppress

from apiflask import APIBlueprint
from apiflask.schemas import FileSchema
from flask import Response, jsonify
from redis.exceptions import RedisError
from sqlalchemy import select

from myriad.db.migrate import is_current
from myriad.db.workers import live_workers, unfit_workers
from myriad.errors import NotFound, Unavailable
from myriad.farm import Farm
from myriad.job import Stage
from myriad.key import Scope
from myriad.leaving import is_leaving
from myriad.pool import Pool
from web.auth import needs, require_key
from web.errors import RETRY_AFTER_S
from web.farm import current_farm
from web.metrics import CONTENT_TYPE, current_metrics
from web.served import unserved_stages

health = APIBlueprint("health", __name__, tag="Health")


@health.get("/livez")
def livez() -> Response:
    """Say that this process answers."""
    return jsonify(status="ok")


@health.get("/readyz")
@health.doc(responses=[503])
def readyz() -> Response:
    """Say whether a job handed in now would be drawn, of any model, and if not, what is missing."""
    farm = current_farm()
    report = {name: _outcome(check, farm) for name, check in _CHECKS.items()}
    if is_leaving():
        report["process"] = "is stopping"
    missing = [f"{name}: {state}" for name, state in report.items() if state != "ok"]
    if not missing:
        return jsonify(status="ok", checks=report)
    response = jsonify(
        error={"code": Unavailable.code, "message": "; ".join(missing)}, checks=report
    )
    response.status_code = Unavailable.status
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@health.get("/metrics")
@health.output(FileSchema(type="string"), content_type="text/plain")
@health.doc(responses=[401, 403, 503])
@needs(Scope.METRICS)
def metrics() -> Response:
    """Figures for Prometheus; with the scope `metrics` once the farm has API keys."""
    require_key()
    return Response(current_metrics().render(), content_type=CONTENT_TYPE)


def _outcome(check: Callable[[Farm], str], farm: Farm) -> str:
    try:
        return check(farm)
    except Unavailable as error:
        return error.message


def _database(farm: Farm) -> str:
    with farm.db.read() as session:
        session.execute(select(1))
    return "ok"


def _migrations(farm: Farm) -> str:
    return "ok" if is_current(farm.db) else "not at the newest: run `myriad migrate`"


def _redis(farm: Farm) -> str:
    try:
        farm.redis.ping()
    except RedisError as error:
        return f"does not answer ({type(error).__name__})"
    return "ok"


def _storage(farm: Farm) -> str:
    with suppress(NotFound):
        farm.storage.get("health/none")
    return "ok"


def _workers(farm: Farm) -> str:
    if not is_current(farm.db):
        return "unknown before the migration"
    workers = live_workers(farm.db, within_s=farm.settings.lease_s)
    present = {worker.pool for worker in workers}
    live = [pool for pool in farm.pools if pool.name in present]
    missing = list(_missing(live, farm.catalog))
    if not missing:
        return "ok"
    reasons = [f"{pool} left: {why}" for pool, why in unfit_workers(farm.db).items()]
    return "; ".join([f"none live for {', '.join(missing)}", *reasons])


def _missing(pools: Collection[Pool], models: Collection[str]) -> Iterator[str]:
    """Stages that none of the pools does: of any model, or of those it names."""
    for stage in Stage:
        lacking = [name for name in models if stage in unserved_stages(pools, name)]
        if len(lacking) == len(models):
            yield stage.value
        elif lacking:
            yield f"{stage.value} of {' and '.join(lacking)}"


_CHECKS: dict[str, Callable[[Farm], str]] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "storage": _storage,
    "workers": _workers,
}
