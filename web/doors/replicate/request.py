"""The body and headers around an `input`: webhooks, waiting, giving up."""

import re
from typing import Any, Literal

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myriad.errors import InvalidRequest
from myriad.params import invalid_request
from web.request import StrictRequest

_CANCEL_AFTER = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h)?")
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


class PredictionRequest(BaseModel):
    """What surrounds the input; a version may be left out where the address names the model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str | None = Field(None, max_length=256)
    input: Any = Field(default_factory=dict)
    webhook: str | None = Field(None, max_length=2048)
    webhook_events_filter: list[Literal["start", "output", "logs", "completed"]] | None = None

    @property
    def job_fields(self) -> dict[str, Any]:
        """What the job is told of webhooks. There are no events for logs: those are polled."""
        if self.webhook is None:
            return {}
        kinds = self.webhook_events_filter
        wanted = None if kinds is None else [kind for kind in kinds if kind != "logs"]
        if wanted == []:
            return {}
        return {"webhook": self.webhook} | ({"webhook_events_filter": wanted} if wanted else {})


def read_request() -> PredictionRequest:
    """The body of this request. Raises InvalidRequest."""
    assert isinstance(request, StrictRequest)
    try:
        return PredictionRequest.model_validate(request.json_body.value)
    except ValidationError as error:
        raise invalid_request(error) from error


def cancel_after_s() -> float | None:
    """Seconds of the header `Cancel-After`: `90`, `90s`, `5m` or `1h`. Raises InvalidRequest."""
    text = request.headers.get("Cancel-After")
    if text is None:
        return None
    match = _CANCEL_AFTER.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise InvalidRequest("must be like 90s, 5m or 1h", field="Cancel-After")
    return float(match[1]) * _UNITS_S[match[2] or "s"]
