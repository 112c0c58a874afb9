"""What is wrong with a graph, in ComfyUI's own form."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One error of one node; `kind` is ComfyUI's code."""

    kind: str
    message: str
    details: str = ""
    input_name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As ComfyUI's clients read it."""
        extra = {} if self.input_name is None else {"input_name": self.input_name}
        return {
            "type": self.kind,
            "message": self.message,
            "details": self.details,
            "extra_info": extra,
        }


class GraphRefused(Exception):
    """The graph is not accepted: a problem of the whole, and those of its nodes."""

    def __init__(self, whole: Problem, nodes: dict[str, list[Problem]], kinds: dict[str, str]):
        super().__init__(whole.message)
        self.whole = whole
        self.nodes = nodes
        self.kinds = kinds

    def to_json(self) -> dict[str, Any]:
        """The body of ComfyUI's 400."""
        return {
            "error": self.whole.to_json(),
            "node_errors": {
                node: {
                    "errors": [problem.to_json() for problem in problems],
                    "dependent_outputs": [],
                    "class_type": self.kinds.get(node, ""),
                }
                for node, problems in self.nodes.items()
            },
        }


class NodeRefused(Exception):
    """A node asks for what this farm does not do."""


class Problems:
    """Those of a graph's nodes, as they are found."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self._kinds = kinds
        self._found: dict[str, list[Problem]] = defaultdict(list)

    def add(self, node: str, problem: Problem) -> None:
        self._found[node].append(problem)

    def check(self) -> None:
        """Raise GraphRefused if any was found."""
        if not self._found:
            return
        lines = [
            f"{self._kinds[node]} {node}: {problem.message}: {problem.details}"
            for node, problems in self._found.items()
            for problem in problems
        ]
        whole = Problem(
            "prompt_outputs_failed_validation", "Prompt outputs failed validation", "\n".join(lines)
        )
        raise GraphRefused(whole, dict(self._found), self._kinds)
