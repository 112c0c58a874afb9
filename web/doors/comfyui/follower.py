"""A thread for each open socket: looks at the client's jobs and tells what is new."""

import json
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any
from uuid import uuid4

import structlog
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import ProtocolError

from myriad import clock
from myriad.db.jobs import find_job
from myriad.db.keys import is_good
from myriad.errors import MyriadError, NotFound
from myriad.farm import Farm
from myriad.job import JobState
from myriad.record import JobRecord
from web.doors.comfyui.event import Feed
from web.doors.comfyui.hand_over import shut, take_over
from web.doors.comfyui.sight import see
from web.places import Places, has_several_keys

_MOST = 64
_MOST_HEARD = 100
_LOOK_EVERY_S = 0.2
_IDLE_S = 0.5
# Clocks of two front ends differ by less.
_SLACK = timedelta(seconds=2)
# What ended is in the database within this time of its end.
_LATE = timedelta(seconds=30)

_places = Places(_MOST)
_log = structlog.get_logger(__name__)


def follow(farm: Farm, environ: dict[str, Any], scope: str, client: str) -> bool:
    """Take the connection over and keep telling it.

    False if too many are told already, or the caller has its part of them.
    """
    if not _places.take(scope, partial(has_several_keys, farm.db)):
        return False
    try:
        _begin(farm, environ, scope, client)
    except (OSError, ProtocolError) as error:
        _places.leave(scope)
        _log.warning("socket_not_opened", error=str(error))
    except BaseException:
        _places.leave(scope)
        raise
    return True


def _begin(farm: Farm, environ: dict[str, Any], scope: str, client: str) -> None:
    socket = take_over(environ)
    try:
        follower = _Follower(farm, socket, scope, client)
        Thread(target=follower.run, name="comfyui-socket", daemon=True).start()
    except BaseException:
        shut(socket)
        raise


class _Follower:
    """Tells of jobs that live when it begins, and of those made later."""

    def __init__(self, farm: Farm, socket: Server, scope: str, client: str) -> None:
        self._farm = farm
        self._socket = socket
        self._scope = scope
        self._client = client
        self._since = clock.now() - _SLACK
        self._feeds: dict[str, Feed] = {}
        self._remaining = -1

    def run(self) -> None:
        why = None
        try:
            while why is None:
                why = self._look() or self._pause(_LOOK_EVERY_S if self._remaining else _IDLE_S)
        except (ConnectionClosed, OSError):
            pass
        except Exception as error:
            _log.error("socket_failed", exc_info=error)
        finally:
            _places.leave(self._scope)
            shut(self._socket, why)

    def _pause(self, pause_s: float) -> str | None:
        """Pass over what the client says, which has no meaning. Why to end, if it says much."""
        end = monotonic() + pause_s
        for _ in range(_MOST_HEARD):
            left_s = end - monotonic()
            if left_s <= 0 or self._socket.receive(timeout=left_s) is None:
                return None
        return "too many messages"

    def _look(self) -> str | None:
        """Tell what is new. Why to end, if the key is no longer good."""
        now, db = clock.now(), self._farm.db
        try:
            if self._scope and not is_good(db, self._scope):
                return "the API key is no longer good"
            sight = see(db, self._scope, self._client, self._since)
            self._tell_status(sight.remaining)
            self._tell_all(sight.job_ids)
        except MyriadError as error:
            _log.warning("socket_looks_later", error=str(error))
        else:
            self._since = max(self._since, now - _LATE)
        return None

    def _tell_all(self, job_ids: Iterable[str]) -> None:
        """Tell of these, and of all that was begun. What is over is kept while it is seen."""
        begun = [each for each, feed in self._feeds.items() if not feed.is_over]
        seen = dict.fromkeys([*begun, *job_ids])
        self._feeds = {each: self._feeds.get(each) or Feed() for each in seen}
        for job_id, feed in self._feeds.items():
            if not feed.is_over:
                self._look_at(job_id, feed)

    def _look_at(self, job_id: str, feed: Feed) -> None:
        try:
            job = find_job(self._farm.db, job_id, scope=self._scope)
        except NotFound:  # deleted
            feed.is_over = True
        else:
            self._tell(job, feed)

    def _tell(self, job: JobRecord, feed: Feed) -> None:
        is_running = job.state is JobState.RUNNING
        fraction = self._farm.signals.progress(job.work_id) if is_running else 0.0
        for kind, data in feed.events(job, fraction):
            self._send(kind, data)
        preview = self._farm.signals.preview(job.work_id) if is_running else None
        if message := feed.preview(preview):
            self._socket.send(message)

    def _tell_status(self, remaining: int) -> None:
        if remaining == self._remaining:
            return
        status = {"status": {"exec_info": {"queue_remaining": remaining}}}
        is_first, self._remaining = self._remaining < 0, remaining
        sid = {"sid": self._client or uuid4().hex} if is_first else {}
        self._send("status", status | sid)

    def _send(self, kind: str, data: dict[str, Any]) -> None:
        self._socket.send(json.dumps({"type": kind, "data": data}))
