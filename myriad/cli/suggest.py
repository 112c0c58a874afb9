"""What the shell may complete: names and ids the farm knows, if it says so at once."""

from typing import Any

import click
import httpx

from myriad.cli.connection import DEFAULT_URL

_TIMEOUT_S = 1.0
_MOST = 50


def suggest_models(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Names of the farm's models."""
    return _starting(incomplete, (model["name"] for model in _ask(context, "models", {})))


def suggest_jobs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Ids of the caller's newest jobs."""
    found = _ask(context, "jobs", {"limit": _MOST})
    return _starting(incomplete, (job["id"] for job in found))


def suggest_live_jobs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Ids of those that have not ended."""
    live = [
        job
        for status in ("running", "queued")
        for job in _ask(context, "jobs", {"status": status, "limit": _MOST})
    ]
    return _starting(incomplete, (job["id"] for job in live))


def _starting(incomplete: str, names: Any) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _ask(context: click.Context, what: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """What the farm lists; nothing if it does not answer, or with something else."""
    url, key = context.params.get("url") or DEFAULT_URL, context.params.get("key")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/api/v1/{what}",
            params=query,
            headers=headers,
            timeout=_TIMEOUT_S,
        )
        found: list[dict[str, Any]] = answer.raise_for_status().json()[what]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return []  # a word half typed is no place for an error
    return found
