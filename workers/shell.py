"""One request's own copy of a pipeline: it shares the modules and owns everything else."""

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import diffusers

# diffusers ships no types: a pipeline is Any here, and its calls are what the tests prove.
Pipeline = Any


def open_shell(pipe: Pipeline, scheduler: str, **own: Any) -> Pipeline:
    """A shallow copy of `pipe` with a scheduler of that class and the components in `own`."""
    shell = copy.copy(pipe)
    shell.scheduler = _fresh_scheduler(pipe.scheduler, scheduler)
    # It would reset hooks and caches that belong to every request.
    shell.maybe_free_model_hooks = _nothing
    for name, part in own.items():
        setattr(shell, name, part)
    return shell


# One a class and base scheduler: reading a config costs as much as a small step.
_templates = WeakKeyDictionary[Any, dict[str, Any]]()


def _fresh_scheduler(base: Any, kind: str) -> Any:
    """A scheduler of that class with the config of `base`, and no state yet."""
    known = _templates.setdefault(base, {})
    if kind not in known:
        wanted: Any = getattr(diffusers, kind)
        known[kind] = wanted.from_config(base.config, **_shift(base, wanted))
    return copy.deepcopy(known[kind])


def _shift(base: Any, kind: Any) -> dict[str, Any]:
    """A flow model's shift of time, which `base` may have by another name than those of `kind`.

    Schedulers made for noise call it `flow_shift`, and must be told that it is flow.
    """
    known, taken = (inspect.signature(each).parameters for each in (type(base), kind))
    if "flow_shift" in known and "shift" in taken:
        return {"shift": base.config.flow_shift}
    if "shift" in known and "flow_shift" in taken:
        flow = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}
        return {"flow_shift": base.config.shift, **flow}
    return {}


def with_part(pipe: Pipeline, name: str, part: Any) -> Pipeline:
    """A shallow copy of `pipe` that has another component of that name."""
    shell = copy.copy(pipe)
    setattr(shell, name, part)
    return shell


def build_pipeline(kind: Callable[..., Pipeline], pipe: Pipeline, **others: Any) -> Pipeline:
    """A pipeline of another class around the components and the config of `pipe`.

    What its constructor takes and `pipe` has is handed over; `others` come on top.
    """
    wanted = inspect.signature(kind).parameters
    parts = {**pipe.components, **_options(pipe)}
    built = kind(**{name: part for name, part in parts.items() if name in wanted} | others)
    built.set_progress_bar_config(disable=True)
    return built


def call_arguments(pipe: Pipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `arguments` that the pipeline's call takes: not every mode has a size or a mask."""
    kind: Any = type(pipe)
    taken = _call_names(kind)
    return {name: value for name, value in arguments.items() if name in taken}


@cache
def _call_names(kind: Any) -> frozenset[str]:
    return frozenset(inspect.signature(kind.__call__).parameters)


def _options(pipe: Pipeline) -> dict[str, Any]:
    """Constructor arguments that are no components, as `pipe` has them."""
    parameters = inspect.signature(type(pipe)).parameters
    options = set(parameters).intersection(pipe.config).difference(pipe.components)
    return {name: pipe.config[name] for name in options}


def _nothing() -> None:
    pass
