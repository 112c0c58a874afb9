"""Every node this farm understands: the stock ones of the stock workflows."""

from collections.abc import Mapping
from typing import Final

from web.doors.comfyui.nodes_to_draw import TO_DRAW
from web.doors.comfyui.nodes_to_load import TO_LOAD
from web.doors.comfyui.spec import NodeSpec

NODES: Final[Mapping[str, NodeSpec]] = {**TO_LOAD, **TO_DRAW}
