"""`/ws`: tells a client what becomes of its graphs."""

from flask import Response, request

from myriad.errors import Busy, InvalidRequest
from web.auth import current_caller
from web.doors.comfyui.blueprint import route
from web.doors.comfyui.follower import follow
from web.doors.comfyui.hand_over import HandedOver, is_upgradable
from web.doors.comfyui.ticket import is_client_id
from web.farm import current_farm


@route("/ws", "GET", is_socket=True)
def ws() -> Response:
    """Hear of the graphs that this key queued under this `clientId`, and of no other."""
    caller, client = current_caller(), request.args.get("clientId", "")
    if not is_client_id(client):
        raise InvalidRequest("must be a short printable ASCII text", field="clientId")
    if not is_upgradable(request.environ):
        raise InvalidRequest("this address is for WebSockets")
    if not follow(current_farm(), request.environ, caller.scope, client):
        raise Busy("too many are listening; try again")
    return HandedOver()
