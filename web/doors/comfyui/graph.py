"""A graph in API form: read, held against the nodes' forms, and worked out."""

from collections.abc import Mapping
from typing import Any

from web.doors.comfyui.check import check_inputs
from web.doors.comfyui.nodes import NODES
from web.doors.comfyui.offer import Offer
from web.doors.comfyui.problem import GraphRefused, NodeRefused, Problem, Problems

_MOST_NODES = 100
_ID_CHARS = 40

Node = Mapping[str, Any]


class Graph:
    """Nodes by id, each known and checked. Raises GraphRefused."""

    def __init__(self, prompt: object, offer: Offer) -> None:
        self.nodes = _read(prompt)
        self.kinds = {node: str(self.nodes[node]["class_type"]) for node in self.nodes}
        self.outputs = [node for node, kind in self.kinds.items() if NODES[kind].is_output]
        if not self.outputs:
            raise refusal("prompt_no_outputs", "Prompt has no outputs")
        self._values: dict[str, tuple[Any, ...]] = {}
        self._given: dict[str, dict[str, Any]] = {}
        problems = Problems(self.kinds)
        for node in self._needed(problems):
            self._given[node] = check_inputs(node, self.nodes, self.kinds, offer, problems)
        problems.check()

    def value(self, node: str) -> tuple[Any, ...]:
        """What comes out of a node. Raises GraphRefused naming the node that refuses."""
        if node not in self._values:
            spec = NODES[self.kinds[node]]
            given = {
                name: self.value(value[0])[value[1]] if spec.inputs[name].is_link else value
                for name, value in self._given[node].items()
            }
            try:
                self._values[node] = spec.run(node, given)
            except NodeRefused as reason:
                raise self.refused(node, str(reason)) from None
        return self._values[node]

    def refused(self, node: str, details: str) -> GraphRefused:
        """The error that names one node."""
        problems = Problems(self.kinds)
        message = "Custom validation failed for node"
        problems.add(node, Problem("custom_validation_failed", message, details))
        try:
            problems.check()
        except GraphRefused as error:
            return error
        raise AssertionError("a problem was just added")

    def _needed(self, problems: Problems) -> list[str]:
        """What the outputs depend on, each once; circles are a problem of a node in them."""
        order: list[str] = []
        done: set[str] = set()

        def visit(node: str, path: tuple[str, ...]) -> None:
            if node in path:
                problems.add(node, Problem("dependency_cycle", "Dependency cycle", node))
            elif node not in done:
                for value in self.nodes[node]["inputs"].values():
                    if is_link(value) and value[0] in self.nodes:
                        visit(value[0], (*path, node))
                done.add(node)
                order.append(node)

        for node in self.outputs:
            visit(node, ())
        problems.check()
        return order


def is_link(value: object) -> bool:
    """Whether the value is `[node id, output number]`."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def refusal(kind: str, message: str, details: str = "") -> GraphRefused:
    """An error of the graph as a whole."""
    return GraphRefused(Problem(kind, message, details), {}, {})


def _read(prompt: object) -> dict[str, Node]:
    if not isinstance(prompt, dict):
        raise refusal("no_prompt", "No prompt provided", "No prompt provided")
    if len(prompt) > _MOST_NODES:
        raise refusal("invalid_prompt", f"A graph has at most {_MOST_NODES} nodes here")
    return {node: _node(node, values) for node, values in prompt.items()}


def _node(node: str, values: object) -> Node:
    place = f"Node ID '#{node[:_ID_CHARS]}'"
    if len(node) > _ID_CHARS:
        raise refusal("invalid_prompt", f"A node's id has at most {_ID_CHARS} characters", place)
    kind = values.get("class_type") if isinstance(values, dict) else None
    if not isinstance(values, dict) or not isinstance(kind, str):
        message = "Cannot execute because a node is missing the class_type property."
        raise refusal("invalid_prompt", message, place)
    if kind not in NODES:
        problem = Problem(
            "invalid_prompt", f"Cannot execute because node {kind[:100]} does not exist.", place
        )
        raise GraphRefused(problem, {node: [problem]}, {node: kind[:100]})
    inputs = values.get("inputs", {})
    if not isinstance(inputs, dict):
        raise refusal("invalid_prompt", "A node's inputs must be an object", place)
    return {"class_type": kind, "inputs": inputs}
