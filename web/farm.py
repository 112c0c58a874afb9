"""The farm this web process opened, and what its requests share."""

from functools import partial

from flask import Flask, current_app

from myriad.db.sweep import live_jobs_among
from myriad.farm import Farm
from tasks.nudge import Nudge
from web.admission import Admission
from web.patience import PatientLook
from web.places import has_several_keys
from web.served import with_served_models
from web.wait import WaitingRoom

_FARM = "myriad.farm"
_NUDGE = "myriad.nudge"
_WAITING_ROOM = "myriad.waiting_room"
_ADMISSION = "myriad.admission"


def attach_farm(app: Flask, farm: Farm, nudge: Nudge) -> None:
    """Make the farm reachable from every request of `app`, with the models it can serve.

    Raises ConfigError if there are none.
    """
    app.extensions[_FARM] = farm = with_served_models(farm)
    app.extensions[_NUDGE] = nudge
    app.extensions[_WAITING_ROOM] = WaitingRoom(
        farm.settings.web_threads,
        PatientLook(partial(live_jobs_among, farm.db)),
        partial(has_several_keys, farm.db),
    )
    app.extensions[_ADMISSION] = Admission(farm)


def current_farm() -> Farm:
    """Settings, catalogue, database, storage and keys of this process."""
    farm: Farm = current_app.extensions[_FARM]
    return farm


def nudge_dispatch() -> None:
    """Have queued jobs published soon; never blocks, and the janitor makes up for a loss."""
    nudge: Nudge = current_app.extensions[_NUDGE]
    nudge.now()


def waiting_room() -> WaitingRoom:
    """Where requests with `Prefer: wait` wait."""
    room: WaitingRoom = current_app.extensions[_WAITING_ROOM]
    return room


def admission() -> Admission:
    """What says which jobs come too late."""
    who: Admission = current_app.extensions[_ADMISSION]
    return who


def close_farm(app: Flask) -> None:
    """Stop the threads and give the farm's connections back."""
    nudge: Nudge = app.extensions[_NUDGE]
    room: WaitingRoom = app.extensions[_WAITING_ROOM]
    farm: Farm = app.extensions[_FARM]
    nudge.close()
    room.close()
    farm.close()
