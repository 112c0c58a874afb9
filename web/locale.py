"""Which language a page speaks: `?lang=`, else the cookie, else what the browser prefers."""

from flask import Flask, Response, request
from flask_babel import Babel, get_locale
from flask_babel import gettext as _gettext
from flask_babel import ngettext as _ngettext

LANGUAGES = {"zh": "中文", "en": "English"}
_COOKIE = "lang"
_YEAR_S = 365 * 24 * 3600


def speak(app: Flask) -> None:
    """Translate the pages of `app`; a language asked for once is remembered."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    Babel(app, locale_selector=_language)
    app.after_request(_remember)
    app.context_processor(lambda: {"languages": LANGUAGES, "language": str(get_locale())})


def gettext(text: str, **values: object) -> str:
    """`text` in the page's language, with `%(name)s` filled in."""
    return str(_gettext(text, **values))


def ngettext(one: str, many: str, number: int) -> str:
    """The form that fits `number`, which `%(num)s` stands for."""
    return str(_ngettext(one, many, number))


def _language() -> str:
    wanted = (request.args.get("lang"), request.cookies.get(_COOKIE))
    # zh-Hant and zh-Hans-CN are served by zh: what counts is the first part.
    for tag in (*wanted, *request.accept_languages.values()):
        primary = (tag or "").partition("-")[0].lower()
        if primary in LANGUAGES:
            return primary
    return "en"


def _remember(response: Response) -> Response:
    if request.args.get("lang") in LANGUAGES:
        response.set_cookie(
            _COOKIE, request.args["lang"], max_age=_YEAR_S, samesite="Lax", httponly=True
        )
    if response.mimetype == "text/html":
        response.vary.update(("Accept-Language", "Cookie"))
        response.content_language.add(_language())
    return response
