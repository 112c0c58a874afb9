"""Plays the worker: takes a job through its stages with the real protocol functions."""

import hashlib
import struct
import zlib

from myriad.claimant import Claimant
from myriad.db.claim import claim
from myriad.db.commit import RetryRule, advance, finish, give_up
from myriad.db.tables import ImageRow
from myriad.errors import NonFiniteOutput
from myriad.farm import Farm
from myriad.job import Stage
from myriad.lease import Lease

WORKER = Claimant("all@host.1.aa", "all", "cpu")


def png(gray: int = 200, side: int = 64) -> bytes:
    """A square of one shade, as a PNG."""
    rows = (b"\0" + bytes([gray]) * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def take(farm: Farm, job_id: str, stage: Stage) -> Lease:
    """Hold a stage of the job, as a worker does."""
    lease = claim(farm.db, job_id, stage, WORKER, lease_s=60)
    assert lease is not None
    return lease


def finish_job(farm: Farm, job_id: str, *, flagged: bool = False) -> None:
    """Encode, denoise, decode: one stored picture for each seed, blank ones if `flagged`."""
    for stage in (Stage.ENCODE, Stage.DENOISE):
        assert advance(farm.db, take(farm, job_id, stage), f"{stage}-out")
    lease = take(farm, job_id, Stage.DECODE)
    images = [_store(farm, index, seed) for index, seed in enumerate(lease.params.seeds)]
    for image in images:
        image.flagged = flagged
    assert finish(farm.db, lease, images)


def fail_job(farm: Farm, job_id: str) -> None:
    """The model made NaN of it."""
    lease = take(farm, job_id, Stage.ENCODE)
    assert give_up(farm.db, lease, NonFiniteOutput("latents are not finite"), RetryRule())


def _store(farm: Farm, index: int, seed: int) -> ImageRow:
    data = png(gray=50 + 40 * index)
    digest = hashlib.sha256(data).hexdigest()
    farm.storage.put(f"images/{digest}.png", data, "image/png")
    return ImageRow(
        index=index,
        storage_key=f"images/{digest}.png",
        thumbnail_key=None,
        sha256=digest,
        size_bytes=len(data),
        content_type="image/png",
        seed=seed,
        width=64,
        height=64,
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
