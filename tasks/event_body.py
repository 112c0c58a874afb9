"""What a webhook says: the event and the job as it stands, as the door it came through has it."""

import json
from typing import Any

from myriad.db.deliveries import Delivery
from myriad.db.jobs import find_job
from myriad.farm import Farm
from myriad.prediction import prediction_view, version_named
from myriad.status import job_view

_REPLICATE = "replicate"


def event_body(farm: Farm, delivery: Delivery) -> bytes:
    """The exact bytes to sign and send. Raises NotFound for a job that was deleted.

    Replicate's clients expect the prediction itself, with nothing around it.
    """
    record = find_job(farm.db, delivery.job_id, scope=None)
    shown: dict[str, Any] = {
        "fraction": 0.0,
        "link": lambda image: farm.picture_url(image, farm.base_url),
        "base_url": farm.base_url,
    }
    if record.door == _REPLICATE:
        version = version_named(farm.catalog, record.model)
        return _dump(prediction_view(record, version=version, **shown))
    view = job_view(record, **shown)
    kind = f"job.{delivery.kind.value}"
    return _dump({"type": kind, "sequence": delivery.sequence, "data": view})


def _dump(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
