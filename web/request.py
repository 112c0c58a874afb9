"""How a JSON body is read: once, strictly, and never with a 5xx."""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, TypeVar

from flask import Request, current_app
from werkzeug.datastructures import Authorization

from myriad.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType
from web.body_stream import BodyStream

MULTIPART = "multipart/form-data"
UPLOAD_LIMIT = "MAX_UPLOAD_LENGTH"
"""Where the app's config holds the largest body of views that take uploads."""

_PARAMS = "params"
_MAX_SHOWN = 100
_PICTURE_PARTS = {"image": 1, "mask": 1, "control_image": math.inf}
# Pictures within JSON. Long enough that millions of short ones cannot pass for pictures. The
# backslash is for clients that escape what they need not: PHP sends `\/`, .NET `\u002B` for +.
_DATA_URI = re.compile(rb'"data:image\\?/[A-Za-z0-9+/=;,\\]{64,}+"')
_BASE64 = re.compile(rb'"(?:data:image\\?/[A-Za-z0-9+/=;,\\]{64,}+|[A-Za-z0-9+/\\]{4096,}+={0,2})"')
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")

_View = TypeVar("_View", bound=Callable[..., Any])
_TAKES_UPLOADS, _TAKES_BASE64 = "takes_uploads", "takes_base64"
_READ_BODIES = ("json_body", "untyped_json", "pictures")


def takes_uploads(view: _View) -> _View:
    """Let the view's bodies be as large as pictures are. Goes under the route's decorator."""
    setattr(view, _TAKES_UPLOADS, True)
    return view


def takes_base64(view: _View) -> _View:
    """The same where clients send pictures as bare base64, with nothing to tell it by."""
    setattr(view, _TAKES_BASE64, True)
    return takes_uploads(view)


@dataclass(frozen=True)
class JsonBody:
    """A parsed body, and the SHA-256 of its canonical form: equal requests have equal digests."""

    value: Any
    digest: str


class StrictRequest(Request):
    """Refuses what lenient readers disagree on: other content types, repeated names, NaN,
    bytes that are not UTF-8, lone surrogates, nesting beyond Python's stack.
    """

    def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        environ["wsgi.input"] = BodyStream(environ["wsgi.input"])
        super().__init__(environ, *args, **kwargs)
        # Werkzeug expects what the RFC allows; clients send raw bytes of any encoding.
        self.query_string = _BEYOND_ASCII.sub(_percent_encoded, self.query_string)

    def _load_form_data(self) -> None:
        """As ever, for whoever asks for a form or its files. Raises InvalidRequest."""
        super()._load_form_data()
        if None in self.form or None in self.files:
            raise InvalidRequest("a part of the body has no name")

    @property
    def authorization(self) -> Authorization | None:
        """As ever; None also for a header with letters that Werkzeug fails over."""
        with suppress(ValueError):
            return super().authorization
        return None

    @property
    def max_content_length(self) -> int | None:
        """Bytes this route reads: more where pictures are handed in."""
        name = UPLOAD_LIMIT if self._view_has(_TAKES_UPLOADS) else "MAX_CONTENT_LENGTH"
        limit: int | None = current_app.config[name]
        return limit

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        raise AttributeError("the limit belongs to the route")

    def _view_has(self, mark: str) -> bool:
        return hasattr(current_app.view_functions.get(self.endpoint or ""), mark)

    @cached_property
    def json_body(self) -> JsonBody:
        """The JSON of the body, or of the part `params` beside pictures."""
        if self.mimetype == MULTIPART and self.endpoint == "native.create_job":
            return self._params_part()
        if not self.is_json:
            raise UnsupportedMediaType("send the body as Content-Type: application/json")
        return self.untyped_json

    @cached_property
    def untyped_json(self) -> JsonBody:
        """The JSON of the body whatever it calls itself, for clients that do not say."""
        body = self._whole_body()
        self._check_text(body)
        return _parse(body)

    @cached_property
    def pictures(self) -> dict[str, tuple[bytes, ...]]:
        """The pictures beside `params`, by part; none if the body is JSON."""
        if self.mimetype != MULTIPART:
            return {}
        parts = {name: self.files.getlist(name) for name in self.files if name != _PARAMS}
        return {name: tuple(file.read() for file in files) for name, files in parts.items()}

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The parsed body. Raises InvalidRequest or UnsupportedMediaType, whatever `force` says."""
        return self.json_body.value

    def let_go(self) -> None:
        """Forget what was read of the body, pictures and all. It cannot be read again."""
        self._cached_data = b""
        for name in _READ_BODIES:
            self.__dict__.pop(name, None)

    def check_boundary(self) -> None:
        """Raise UnsupportedMediaType unless the body can be taken apart."""
        if self.mimetype != MULTIPART or not self.mimetype_params.get("boundary"):
            raise UnsupportedMediaType(f"send the body as Content-Type: {MULTIPART}")

    def _params_part(self) -> JsonBody:
        self.check_boundary()
        self._check_parts()
        texts = [text.encode() for text in self.form.getlist(_PARAMS)]
        texts += [file.read() for file in self.files.getlist(_PARAMS)]
        if len(texts) != 1:
            raise InvalidRequest("must be one part with the request as JSON", field=_PARAMS)
        self._check_text(texts[0])
        body = _parse(texts[0])
        digest = sha256(body.digest.encode())
        for name, pictures in sorted(self.pictures.items()):
            for picture in pictures:
                digest.update(f"{name} {sha256(picture).hexdigest()}".encode())
        return JsonBody(body.value, digest.hexdigest())

    def _check_parts(self) -> None:
        known = {_PARAMS, *_PICTURE_PARTS}
        if unknown := next((name for name in (*self.form, *self.files) if name not in known), None):
            raise InvalidRequest("there is no such part", field=unknown[:_MAX_SHOWN])
        if text := next((name for name in self.form if name != _PARAMS), None):
            raise InvalidRequest("must be a file; put its id into params", field=text)
        for name, most in _PICTURE_PARTS.items():
            if len(self.files.getlist(name)) > most:
                raise InvalidRequest("is given twice", field=name)

    def _whole_body(self) -> bytes:
        """All of the body. Werkzeug would take one that is cut short, or cut one at the limit."""
        body = self.get_data()
        if self.content_length is None and len(body) >= (self.max_content_length or math.inf):
            raise BodyTooLarge("the body is larger than this farm reads")
        if self.content_length not in (None, len(body)):
            raise InvalidRequest("the body is shorter than its Content-Length")
        return body

    def _check_text(self, body: bytes) -> None:
        """Raise BodyTooLarge for more JSON, pictures aside, than any route reads."""
        most = current_app.config["MAX_CONTENT_LENGTH"]
        if len(body) > most:
            pattern = _BASE64 if self._view_has(_TAKES_BASE64) else _DATA_URI
            pictures = sum(len(match[0]) for match in pattern.finditer(body))
            if len(body) - pictures > most:
                raise BodyTooLarge("the body is larger than this farm reads")


def _parse(body: bytes) -> JsonBody:
    try:
        value = json.loads(
            body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique_names
        )
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return JsonBody(value, sha256(canonical.encode()).hexdigest())
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply") from None
    except UnicodeError:
        raise InvalidRequest("the body is not valid UTF-8 text") from None
    except ValueError as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from None


def _percent_encoded(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % byte[0][0]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("an object names a field twice")
    return values
