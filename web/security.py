"""Headers that keep a page to itself: a strict policy with a nonce, and nothing from elsewhere."""

import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, Response, g

from myriad.farm import Farm

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"


def secure(app: Flask, farm: Farm) -> None:
    """Send the headers with every answer; views may set stricter ones of their own."""
    pictures = " ".join(["'self'", "data:", *_foreign_pictures(farm)])

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _ALWAYS.items():
            response.headers.setdefault(name, value)
        is_page = response.mimetype == "text/html"
        policy = _page_policy(pictures) if is_page else _JSON_POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        if not response.cache_control:
            response.headers["Cache-Control"] = "private, no-store" if is_page else "no-store"
        return response

    @app.context_processor
    def offer_nonce() -> dict[str, str]:
        return {"csp_nonce": nonce()}


def nonce() -> str:
    """This answer's own; a script without it does not run."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _page_policy(pictures: str) -> str:
    return (
        f"default-src 'none'; script-src 'nonce-{nonce()}'; style-src 'self'; font-src 'self'; "
        f"img-src {pictures}; media-src {pictures}; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def _foreign_pictures(farm: Farm) -> list[str]:
    """Where the store's presigned links lead, if not to ourselves."""
    link = farm.storage.presigned_url("images/x", ttl=timedelta(minutes=1), content_type="")
    parts = urlsplit(link or "")
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
