"""From a graph to a request of ours."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from myriad.catalog import Catalog
from myriad.model import Model
from myriad.params import invalid_request
from myriad.sampler_names import find_comfyui, scheduler_for
from web.doors.comfyui.graph import Graph
from web.doors.comfyui.value import Mask, Sampled
from web.doors.size import fitting_size
from web.job_request import JobRequest


@dataclass(frozen=True)
class Plan:
    """What a graph draws: our request's `values`, its mask, and the nodes that show progress."""

    values: dict[str, Any]
    mask: Mask | None
    sampler: str
    decoder: str
    outputs: tuple[str, ...]
    previews: tuple[str, ...]

    def asked(self, metadata: dict[str, str]) -> JobRequest:
        """The checked request. Raises InvalidRequest."""
        try:
            return JobRequest(**self.values, metadata=metadata)
        except ValidationError as error:
            raise invalid_request(error) from error


def plan_of(graph: Graph, catalog: Catalog) -> Plan:
    """Raises GraphRefused naming the node that asks for what is not done here."""
    drawn = [graph.value(node)[0] for node in graph.outputs]
    sampled: Sampled = drawn[0]
    for node, other in zip(graph.outputs, drawn, strict=True):
        if other.node != sampled.node:
            raise graph.refused(node, f"one graph draws once, and node {sampled.node} does")
    model = catalog[sampled.checkpoint]
    kinds = graph.kinds
    return Plan(
        values=_values(graph, sampled, model),
        mask=sampled.mask,
        sampler=sampled.node,
        decoder=graph.nodes[graph.outputs[0]]["inputs"]["images"][0],
        outputs=tuple(graph.outputs),
        previews=tuple(node for node in graph.outputs if kinds[node] == "PreviewImage"),
    )


def _values(graph: Graph, sampled: Sampled, model: Model) -> dict[str, Any]:
    asked = dict(sampled.values)
    sampler, size = find_comfyui(asked.pop("sampler")), asked.pop("size")
    steps, denoise = asked.pop("steps"), asked.pop("denoise")
    scheduler = sampler and scheduler_for(sampler, model.facts.schedulers)
    if scheduler is None:
        raise graph.refused(sampled.node, f"sampler_name does not go with model {model.name}")
    asked |= {"model": model.name, "scheduler": scheduler, "output_format": "png"}
    asked["num_inference_steps"] = steps
    if size is not None:
        asked["width"], asked["height"] = fitting_size(size[0], size[1], model)
    if sampled.image is not None:
        asked["image"] = sampled.image.digest
        asked["num_inference_steps"], asked["strength"] = stretched(
            steps, denoise, model.limits.max_steps
        )
    if sampled.controls:
        asked["controlnets"] = [
            {"model": each.net, "image": each.image.digest, "scale": each.strength}
            for each in sampled.controls
        ]
    return asked


def stretched(steps: int, denoise: float, most: int) -> tuple[int, float]:
    """Steps and strength with which `steps` are run, the last ones of a longer schedule.

    ComfyUI counts the steps that are run, diffusers those of the whole schedule.
    """
    if steps / denoise >= most + 1:  # perhaps infinitely many
        return max(steps, most), denoise
    total = int(steps / denoise)
    return total, min(1.0, (steps + 0.5) / total)
