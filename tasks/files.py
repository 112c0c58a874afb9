"""What stages read from and write to storage: uploaded inputs, finished pictures."""

import hashlib

from myriad.db.tables import ImageRow
from myriad.errors import InputMissing, NotFound, ObjectDamaged
from myriad.inputs import input_key
from myriad.params import GenerationParams
from myriad.storage.base import Storage
from tasks.runner import Picture

PICTURE_PREFIX = "images/"
_SUFFIX = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg", "video/mp4": "mp4"}


def read_inputs(storage: Storage, params: GenerationParams) -> dict[str, bytes]:
    """PNG bytes by digest. Raises InputMissing, and StorageUnavailable."""
    return {digest: _read_input(storage, digest) for digest in params.input_digests}


def store_picture(storage: Storage, job_id: str, index: int, picture: Picture) -> ImageRow:
    """Store the file and its thumbnail; a row without a job yet. Raises StorageUnavailable."""
    # Named by content: a zombie and the winner write the same bytes to the same key, or
    # different bytes to different keys. And by job, so that nobody else is just writing
    # what is deleted with it (docs/decisions/0018).
    digest = hashlib.sha256(picture.data).hexdigest()
    name = f"{PICTURE_PREFIX}{digest[:2]}/{digest}-{job_id}"
    key = f"{name}.{_SUFFIX[picture.content_type]}"
    stored = storage.put(key, picture.data, picture.content_type)
    thumbnail_key = None
    if picture.thumbnail:
        thumbnail_key = f"{name}-thumbnail.webp"
        storage.put(thumbnail_key, picture.thumbnail, "image/webp")
    return ImageRow(
        index=index,
        storage_key=key,
        thumbnail_key=thumbnail_key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        content_type=picture.content_type,
        seed=picture.seed,
        width=picture.width,
        height=picture.height,
        num_frames=picture.num_frames,
        fps=picture.fps,
        flagged=picture.flagged,
    )


def job_of_picture(key: str) -> str:
    """The job whose run stored a picture or thumbnail under `key`."""
    return key.partition("-")[2].partition("-")[0].partition(".")[0]


def _read_input(storage: Storage, digest: str) -> bytes:
    try:
        return storage.get(input_key(digest))
    except (NotFound, ObjectDamaged) as error:
        raise InputMissing(f"the input {digest} is no longer stored; send it again") from error
