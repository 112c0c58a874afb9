"""Pictures that callers hand in: taken in, kept, and found again by id."""

import re
from collections.abc import Iterable, Mapping

from myriad.db.inputs import find_inputs, keep_input
from myriad.errors import InvalidRequest
from myriad.inputs import INPUT_TYPE, input_key
from myriad.record import InputRecord
from web.auth import Caller
from web.base64_text import decoded
from web.farm import current_farm
from web.upload import Upload, read_upload

_DATA_URI = re.compile(r"data:image/(?:png|jpeg|webp);base64,")
_ID = re.compile("[0-9a-f]{64}")


class Inputs:
    """The pictures of one request: those it brings, and those it names by id.

    Nothing is stored before `keep`, so that a request refused for another field
    leaves no trace.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._brought: dict[str, Upload] = {}
        self._read: dict[tuple[str, bool], str] = {}

    def take(self, data: bytes, field: str, *, is_mask: bool = False) -> str:
        """The digest of a picture that came with the request. Raises InvalidRequest on `field`."""
        most = current_farm().settings.max_input_pixels
        upload = read_upload(data, field, most, is_mask=is_mask)
        self._brought[upload.digest] = upload
        return upload.digest

    def read(self, text: str, field: str, *, is_mask: bool = False) -> str:
        """The digest of a picture given as a data URI or as an input's id."""
        if _ID.fullmatch(text):
            return text
        known = self._read.get((text, is_mask))  # a batch may say the same a thousand times
        if known is None:
            known = self.take(_data_of(text, field), field, is_mask=is_mask)
            self._read[text, is_mask] = known
        return known

    def size_of(self, digest: str) -> tuple[int, int] | None:
        """Width and height in pixels, None for an input that is not the caller's."""
        if upload := self._brought.get(digest):
            return upload.width, upload.height
        found = self.find([digest]).get(digest)
        return (found.width, found.height) if found else None

    def check(self, named: Mapping[str, str]) -> None:
        """Raise InvalidRequest on the first of the fields that names no input of the caller's."""
        known = self.find(set(named.values()) - set(self._brought))
        for field, digest in named.items():
            if digest not in known and digest not in self._brought:
                raise InvalidRequest("no such input; hand the picture in again", field=field)

    def keep(self) -> dict[str, InputRecord]:
        """Store what the request brought: the bytes first, then the rows. Raises Unavailable."""
        return {digest: self._keep(upload) for digest, upload in self._brought.items()}

    def _keep(self, upload: Upload) -> InputRecord:
        farm = current_farm()
        farm.storage.put(input_key(upload.digest), upload.data, INPUT_TYPE)
        return keep_input(
            farm.db,
            scope=self._caller.scope,
            digest=upload.digest,
            size_bytes=len(upload.data),
            width=upload.width,
            height=upload.height,
        )

    def find(self, digests: Iterable[str]) -> dict[str, InputRecord]:
        """Those of `digests` that the caller handed in before; anything else is left out."""
        real = {digest for digest in digests if _ID.fullmatch(digest)}
        return find_inputs(current_farm().db, real, scope=self._caller.scope)


def _data_of(text: str, field: str) -> bytes:
    head = _DATA_URI.match(text)
    if head is None:
        raise InvalidRequest(
            "must be the id of an input, or a data URI of a PNG, JPEG or WebP picture in base64",
            field=field,
        )
    return decoded(text[head.end() :], field)
