"""A thread for each open socket: looks at the client's jobs and tells what is new."""

import json
from contextlib import suppress
from datetime import timedelta
from threading import BoundedSemaphore, Thread
from typing import Any
from uuid import uuid4

import structlog
from simple_websocket import ConnectionClosed, Server
from wsproto.utilities import ProtocolError

from myriad import clock
from myriad.db.jobs import list_jobs
from myriad.db.keys import is_good
from myriad.errors import MyriadError
from myriad.farm import Farm
from myriad.job import JobState
from myriad.record import JobRecord
from web.doors.comfyui.event import Feed
from web.doors.comfyui.hand_over import take_over
from web.doors.comfyui.prompting import DOOR
from web.doors.comfyui.ticket import ticket_of

_MOST = 64
_JOBS = 50
_LOOK_EVERY_S = 0.2
_IDLE_S = 0.5
# Clocks of two front ends differ by less.
_SLACK = timedelta(seconds=2)

_places = BoundedSemaphore(_MOST)
_log = structlog.get_logger(__name__)


def follow(farm: Farm, environ: dict[str, Any], scope: str, client: str) -> bool:
    """Take the connection over and keep telling it; False if too many are told already."""
    if not _places.acquire(blocking=False):
        return False
    try:
        follower = _Follower(farm, take_over(environ), scope, client)
    except (OSError, ProtocolError) as error:
        _places.release()
        _log.warning("socket_not_opened", error=str(error))
    else:
        Thread(target=follower.run, name="comfyui-socket", daemon=True).start()
    return True


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
        try:
            while True:
                self._look()
                pause_s = _LOOK_EVERY_S if self._remaining else _IDLE_S
                self._socket.receive(timeout=pause_s)  # what clients say has no meaning
        except (ConnectionClosed, OSError):
            pass
        except Exception as error:
            _log.error("socket_failed", exc_info=error)
        finally:
            _places.release()
            with suppress(ConnectionClosed, OSError):
                self._socket.close()

    def _look(self) -> None:
        try:
            if self._scope and not is_good(self._farm.db, self._scope):
                self._socket.close(message="the API key is no longer good")
                return
            page = list_jobs(self._farm.db, scope=self._scope, door=DOOR, limit=_JOBS)
        except MyriadError as error:
            _log.warning("socket_looks_later", error=str(error))
            return
        self._tell_status(sum(not job.state.is_final for job in page.jobs))
        for job in reversed(page.jobs):
            if ticket_of(job).client == self._client and self._is_wanted(job):
                self._tell(job, self._feeds.setdefault(job.id, Feed()))

    def _is_wanted(self, job: JobRecord) -> bool:
        is_new = job.created_at >= self._since or not job.state.is_final
        return job.id in self._feeds or is_new

    def _tell(self, job: JobRecord, feed: Feed) -> None:
        if feed.is_over:
            return
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
