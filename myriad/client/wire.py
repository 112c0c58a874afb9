"""From a call to a request of httpx, which both clients send."""

import httpx

from myriad.client.call import Call

TIMEOUT = httpx.Timeout(30.0, connect=5.0)


def request_of(
    client: httpx.Client | httpx.AsyncClient, call: Call, key: str | None
) -> httpx.Request:
    """The request; the API key goes to the farm's own API and nowhere else."""
    headers = {}
    if key and not call.is_link:
        headers["Authorization"] = f"Bearer {key}"
    if call.idempotency_key:
        headers["Idempotency-Key"] = call.idempotency_key
    return client.build_request(
        call.method,
        call.url,
        json=call.json,
        files=call.files,
        params=call.query or None,
        headers=headers,
    )
