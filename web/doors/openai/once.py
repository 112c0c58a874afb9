"""One run for one call, however often the client sends it.

OpenAI's clients send a call again when it takes longer than they wait. They name it by
nothing but `X-Stainless-Retry-Count`: so the first try binds its body to its job, and
the later ones get that job. A call that is made again on purpose is a first try too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

from flask import request

from myriad.db.idempotency import unbind
from myriad.errors import InvalidRequest, MyriadError, Unavailable
from web.auth import Caller
from web.doors.waiting import hold_s
from web.farm import current_farm
from web.request import MULTIPART, StrictRequest

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")
_TRIES = 3
_SPARE_S = 300.0


@contextmanager
def once(caller: Caller) -> Iterator[dict[str, Any]]:
    """What to tell `web.intake.accept`, so that a repeated call finds its first job."""
    digest = _body_digest()
    if given := request.headers.get("Idempotency-Key"):
        if not _PRINTABLE.fullmatch(given):
            raise InvalidRequest("must be 1 to 255 printable characters", field="Idempotency-Key")
        yield {"idempotency_key": given, "request_digest": digest}
        return
    tries = request.headers.get("X-Stainless-Retry-Count")
    if tries is None:
        yield {}
        return
    key, is_first = f"{request.endpoint} {digest}", tries == "0"
    try:
        yield {
            "idempotency_key": key,
            "request_digest": digest,
            "idempotency_ttl_s": _TRIES * hold_s() + _SPARE_S,
            "rebinds_key": is_first,
        }
    except MyriadError as error:
        if is_first and error.is_retryable:
            _forget(caller, key)
        raise


def _forget(caller: Caller, key: str) -> None:
    """Or the next try would get the job of an earlier call with the same body."""
    with suppress(Unavailable), current_farm().db.write() as session:
        unbind(session, scope=caller.scope, key=key)


def _body_digest() -> str:
    """Equal for equal bodies: of the canonical JSON, or of a form's parts."""
    assert isinstance(request, StrictRequest)
    if request.mimetype != MULTIPART:
        return request.json_body.digest
    digest = sha256()
    for name, text in sorted(request.form.items(multi=True)):
        digest.update(f"{name} {sha256(text.encode()).hexdigest()} ".encode())
    for name, file in sorted(request.files.items(multi=True), key=lambda part: part[0]):
        file.seek(0)
        digest.update(f"{name} {sha256(file.read()).hexdigest()} ".encode())
        file.seek(0)
    return digest.hexdigest()
