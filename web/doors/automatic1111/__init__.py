"""AUTOMATIC1111's API, at the server's root: its clients drop any path before `/sdapi`."""

from web.doors.automatic1111 import drawing, listing, state
from web.doors.automatic1111.blueprint import automatic1111

__all__ = ["automatic1111", "drawing", "listing", "state"]
