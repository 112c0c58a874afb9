"""A node's inputs held against its form, with ComfyUI's own codes and words."""

from collections.abc import Mapping
from typing import Any

from web.doors.comfyui.nodes import NODES
from web.doors.comfyui.offer import Offer
from web.doors.comfyui.problem import Problem, Problems
from web.doors.comfyui.spec import Input

_LONG_LIST = 20
_SHOWN = 100


def check_inputs(
    node: str,
    nodes: Mapping[str, Mapping[str, Any]],
    kinds: Mapping[str, str],
    offer: Offer,
    problems: Problems,
) -> dict[str, Any]:
    """The values to work with: links as they are, numbers as numbers. Adds to `problems`."""
    asked = nodes[node]["inputs"]
    found: dict[str, Any] = {}
    for name, spec in NODES[kinds[node]].inputs.items():
        if name not in asked:
            if spec.is_required:
                problems.add(
                    node,
                    Problem("required_input_missing", "Required input is missing", name, name),
                )
            continue
        try:
            found[name] = _value(name, asked[name], spec, kinds, offer)
        except _Wrong as wrong:
            problems.add(node, wrong.problem)
    return found


class _Wrong(Exception):
    def __init__(self, name: str, kind: str, message: str, details: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(kind, message, details or name, name)


def _value(name: str, value: Any, spec: Input, kinds: Mapping[str, str], offer: Offer) -> Any:
    if isinstance(value, list) or spec.is_link:
        return _link(name, value, spec, kinds)
    value = _converted(name, value, spec.kind)
    if spec.least is not None and value < spec.least:
        message = f"Value {value} smaller than min of {spec.least}"
        raise _Wrong(name, "value_smaller_than_min", message)
    if spec.most is not None and value > spec.most:
        raise _Wrong(
            name,
            "value_bigger_than_max",
            f"Value {value} bigger than max of {spec.most}",
        )
    if spec.kind == "COMBO":
        _check_choice(name, value, choices_of(spec, offer))
    return value


def choices_of(spec: Input, offer: Offer) -> tuple[str, ...]:
    """What an input chooses from."""
    return offer.names(spec.choices) if isinstance(spec.choices, str) else spec.choices


def _link(name: str, value: Any, spec: Input, kinds: Mapping[str, str]) -> Any:
    if not (isinstance(value, list) and len(value) == 2) or isinstance(value[0], list | dict):
        message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
        raise _Wrong(name, "bad_linked_input", message, name)
    source, slot = value
    outputs = NODES[kinds[source]].outputs if source in kinds else ()
    if type(slot) is not int or not 0 <= slot < len(outputs):
        details = f"{name}: there is no output {str(slot)[:_SHOWN]} of node {str(source)[:_SHOWN]}"
        raise _Wrong(name, "bad_linked_input", "Bad linked input", details)
    received = outputs[slot][0]
    if received != spec.kind:
        details = f"{name}, received_type({received}) mismatch input_type({spec.kind})"
        message = "Return type mismatch between linked nodes"
        raise _Wrong(name, "return_type_mismatch", message, details)
    return value


def _converted(name: str, value: Any, kind: str) -> Any:
    wanted = {"INT": int, "FLOAT": float}.get(kind, str)
    try:
        if isinstance(value, dict) or value is None:
            raise ValueError("it is neither text nor a number")
        number = wanted(value)
        if number != number:
            raise ValueError("NaN is no number")  # it would pass for one within all limits
        return number
    except (ValueError, OverflowError) as error:
        message = f"Failed to convert an input value to a {kind} value"
        details = f"{name}, {str(value)[:_SHOWN]}, {str(error)[:_SHOWN]}"
        raise _Wrong(name, "invalid_input_type", message, details) from None


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        shown = str(list(choices))
        if len(choices) > _LONG_LIST:
            shown = f"(list of length {len(choices)})"
        details = f"{name}: '{value[:_SHOWN]}' not in {shown}"
        raise _Wrong(name, "value_not_in_list", "Value not in list", details)
