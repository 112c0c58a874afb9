"""The SQL tables: the truth about every job."""

from myriad.db.tables.base import LIVE, Base, UtcDateTime
from myriad.db.tables.caller import ApiKeyRow, InputRow, OptionRow, UsageRow
from myriad.db.tables.history import (
    SETTLED,
    EventRow,
    StageRunRow,
    WebhookDeliveryRow,
    WorkerRow,
)
from myriad.db.tables.job import BatchRow, IdempotencyKeyRow, ImageRow, JobRow

__all__ = [
    "LIVE",
    "SETTLED",
    "ApiKeyRow",
    "Base",
    "BatchRow",
    "EventRow",
    "IdempotencyKeyRow",
    "ImageRow",
    "InputRow",
    "JobRow",
    "OptionRow",
    "StageRunRow",
    "UsageRow",
    "UtcDateTime",
    "WebhookDeliveryRow",
    "WorkerRow",
]
