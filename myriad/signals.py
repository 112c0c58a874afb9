"""What may be lost without harm, over Redis: progress, previews, and word of a cancel."""

from collections.abc import Callable
from threading import Event, Thread

import structlog
from redis import Redis
from redis.exceptions import RedisError

_PROGRESS = "myriad:progress:"
_PREVIEW = "myriad:preview:"
_CONTEST = "myriad:contest:"
_BACK = "myriad:back:"
_CANCELS = "myriad:cancel"
_PROGRESS_TTL_S = 3600
_PREVIEW_TTL_S = 600
_BACK_TTL_S = 600
_LISTEN_S = 0.5
_PAUSE_S = 1.0

PREVIEW_BYTES = 65_536
"""A larger preview is not published: at one a second it would cost more than it shows."""

_log = structlog.get_logger(__name__)


class Signals:
    """Best effort both ways: SQL stays the truth, and no method raises when Redis is away."""

    def __init__(self, redis_client: Redis) -> None:
        self._redis = redis_client

    def set_progress(self, job_id: str, fraction: float) -> None:
        """The fraction 0..1 of the job's current stage."""
        try:
            self._redis.set(_PROGRESS + job_id, f"{fraction:.4f}", ex=_PROGRESS_TTL_S)
        except RedisError as error:
            _log.debug("progress_not_told", job=job_id, error=str(error))

    def progress(self, job_id: str) -> float:
        """The last fraction told, 0.0 if none."""
        try:
            value = self._redis.get(_PROGRESS + job_id)
        except RedisError:
            return 0.0
        return float(value) if isinstance(value, bytes) else 0.0

    def set_preview(self, job_id: str, jpeg: bytes) -> None:
        """The picture as it stands; one of more than `PREVIEW_BYTES` is dropped."""
        if len(jpeg) > PREVIEW_BYTES:
            _log.debug("preview_too_large", job=job_id, bytes=len(jpeg))
            return
        try:
            self._redis.set(_PREVIEW + job_id, jpeg, ex=_PREVIEW_TTL_S)
        except RedisError as error:
            _log.debug("preview_not_told", job=job_id, error=str(error))

    def preview(self, job_id: str) -> bytes | None:
        """The last preview (JPEG) of a job that is being drawn."""
        try:
            value = self._redis.get(_PREVIEW + job_id)
        except RedisError:
            return None
        return value if isinstance(value, bytes) else None

    def forget_preview(self, job_id: str) -> None:
        """The job has ended: its finished pictures, or nothing, take the preview's place."""
        try:
            self._redis.unlink(_PREVIEW + job_id)
        except RedisError as error:
            _log.debug("preview_not_forgotten", job=job_id, error=str(error))

    def forget(self, job_id: str) -> None:
        """The job is deleted: keep nothing of it."""
        try:
            names = (_PREVIEW, _PROGRESS, _CONTEST, _BACK)
            self._redis.unlink(*(name + job_id for name in names))
        except RedisError as error:
            _log.debug("signals_not_forgotten", job=job_id, error=str(error))

    def enter_contest(self, job_id: str, ttl_s: int) -> bool:
        """Whether the caller is the one to make room for this job: one in `ttl_s` is.

        Nobody is while Redis is away; no hint would bring the job there either.
        """
        try:
            return bool(self._redis.set(_CONTEST + job_id, b"1", nx=True, ex=ttl_s))
        except RedisError:
            return False

    def stands_back(self, job_id: str, for_s: float) -> bool:
        """Whether the job may stand back for others: for so long from when this is first asked.

        None does while Redis is away.
        """
        key, ttl_ms = _BACK + job_id, _BACK_TTL_S * 1000
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(key, b"1", nx=True, px=ttl_ms)
                pipeline.pttl(key)
                left_ms = int(pipeline.execute()[1])
        except RedisError:
            return False
        return ttl_ms - left_ms < for_s * 1000

    def announce_cancel(self, job_id: str) -> None:
        """Spare a worker the steps it would do until it next renews its lease."""
        try:
            self._redis.publish(_CANCELS, job_id)
        except RedisError as error:
            _log.debug("cancel_not_announced", job=job_id, error=str(error))

    def listen_for_cancels(self, heard: Callable[[str], None], stop: Event) -> Thread:
        """Call `heard(job_id)` for every announcement until `stop`; a started daemon thread."""
        thread = Thread(target=self._listen, args=(heard, stop), name="cancels", daemon=True)
        thread.start()
        return thread

    def _listen(self, heard: Callable[[str], None], stop: Event) -> None:
        while not stop.is_set():
            try:
                with self._redis.pubsub(  # type: ignore[no-untyped-call]
                    ignore_subscribe_messages=True
                ) as channel:
                    channel.subscribe(_CANCELS)
                    while not stop.is_set():
                        message = channel.get_message(timeout=_LISTEN_S)
                        if message and message["type"] == "message":
                            heard(message["data"].decode())
            except (RedisError, OSError):
                stop.wait(_PAUSE_S)
