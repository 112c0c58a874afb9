"""`/object_info`, `/system_stats`, `/embeddings`: what there is here."""

import platform
from typing import Any

from flask import Response, jsonify

from myriad import __version__
from myriad.db.workers import live_workers
from web.doors.comfyui.blueprint import route
from web.doors.comfyui.check import choices_of
from web.doors.comfyui.nodes import NODES
from web.doors.comfyui.offer import Offer, offer_of
from web.doors.comfyui.spec import Input, NodeSpec
from web.farm import current_farm


@route("/object_info", "GET")
def object_info() -> Response:
    """Every node this farm understands, with what there is to choose from."""
    offer = offer_of(current_farm().catalog)
    return jsonify({name: _node(name, spec, offer) for name, spec in NODES.items()})


@route("/object_info/<name>", "GET")
def object_info_of(name: str) -> Response:
    """One node; an empty object for one that is not understood."""
    offer = offer_of(current_farm().catalog)
    return jsonify({name: _node(name, NODES[name], offer)} if name in NODES else {})


@route("/embeddings", "GET")
def embeddings() -> Response:
    """None."""
    return jsonify([])


@route("/system_stats", "GET")
def system_stats() -> Response:
    """The live workers' devices. Memory is not told: a front end is elsewhere."""
    farm = current_farm()
    workers = live_workers(farm.db, within_s=farm.settings.lease_s)
    return jsonify(
        system={
            "os": platform.system().lower(),
            "ram_total": 0,
            "ram_free": 0,
            "comfyui_version": f"Myriad {__version__}",
            "python_version": platform.python_version(),
            "pytorch_version": "",
            "embedded_python": False,
            "argv": [],
        },
        devices=[_device(index, worker.device) for index, worker in enumerate(workers)],
    )


def _device(index: int, name: str) -> dict[str, Any]:
    memory = ("vram_total", "vram_free", "torch_vram_total", "torch_vram_free")
    kind = name.partition(":")[0]
    return {"name": name, "type": kind, "index": index, **dict.fromkeys(memory, 0)}


def _node(name: str, spec: NodeSpec, offer: Offer) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {"required": {}, "optional": {}}
    for key, each in spec.inputs.items():
        groups["required" if each.is_required else "optional"][key] = _input(each, offer)
    inputs = {group: values for group, values in groups.items() if values}
    return {
        "input": inputs,
        "input_order": {group: list(values) for group, values in inputs.items()},
        "output": [kind for kind, _ in spec.outputs],
        "output_is_list": [False] * len(spec.outputs),
        "output_name": [title for _, title in spec.outputs],
        "name": name,
        "display_name": spec.title,
        "description": "",
        "python_module": "nodes",
        "category": spec.category,
        "output_node": spec.is_output,
    }


def _input(spec: Input, offer: Offer) -> list[Any]:
    kind: Any = list(choices_of(spec, offer)) if spec.kind in ("COMBO", "FILE") else spec.kind
    told = {"default": spec.default, "min": spec.least, "max": spec.most, "step": spec.step}
    options = {key: value for key, value in told.items() if value is not None} | dict(spec.options)
    return [kind, options] if options else [kind]
