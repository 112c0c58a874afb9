"""What a webhook says: the event and the job as it stands, as the door it came through has it."""

import json
from typing import Any

from myriad.batch import batch_view
from myriad.db.batches import find_batch
from myriad.db.deliveries import Delivery
from myriad.db.jobs import find_job
from myriad.farm import Farm
from myriad.prediction import prediction_view, version_named
from myriad.status import job_view

_REPLICATE = "replicate"


def event_body(farm: Farm, delivery: Delivery) -> bytes:
    """The exact bytes to sign and send. Raises NotFound for a job or batch that is gone.

    Replicate's clients expect the prediction itself, with nothing around it.
    """
    if delivery.batch_id is not None:
        batch = batch_view(
            find_batch(farm.db, delivery.batch_id, scope=None), base_url=farm.base_url
        )
        return _dump({"type": "batch.completed", "sequence": delivery.sequence, "data": batch})
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
    return _dump({"type": f"job.{delivery.kind}", "sequence": delivery.sequence, "data": view})


def _dump(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
