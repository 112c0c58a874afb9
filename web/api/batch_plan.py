"""From the body of a batch to its jobs, each with the name that its fields have in the body."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any

from pydantic import ValidationError

from myriad.errors import InvalidRequest, RequestError
from web.api.batch_model import BatchRequest
from web.job_request import JobRequest

_MAX_SHOWN = 100


@dataclass(frozen=True)
class Planned:
    """One job's body; `place` says where in the batch's a field of it stands."""

    values: Mapping[str, Any]
    place: Callable[[str], str]

    def read(self) -> JobRequest:
        """The body as a request. Raises InvalidRequest naming its place in the batch."""
        try:
            return JobRequest.model_validate(self.values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            message = first["msg"].removeprefix("Value error, ")
            raise InvalidRequest(message, field=self.place(field)) from None
        except RequestError as error:
            raise self.blamed(error) from None

    def blamed(self, error: RequestError) -> RequestError:
        """The error, with its field named by its place in the batch."""
        error.field = self.place(error.field or "")
        return error


def plan(asked: BatchRequest, most: int) -> Iterator[Planned]:
    """The batch's jobs in their order, at most `most`. Raises InvalidRequest."""
    if (asked.jobs is None) == (asked.template is None):
        raise InvalidRequest("must be given, or template instead, and not both", field="jobs")
    if asked.jobs is not None:
        if asked.grid is not None:
            raise InvalidRequest("goes with template", field="grid")
        _check_count(len(asked.jobs), most, "jobs")
        return _listed(asked.jobs)
    _check_grid(asked.template or {}, asked.grid or {}, most)
    return _combined(asked.template or {}, asked.grid or {})


def _check_grid(template: Mapping[str, Any], grid: Mapping[str, Sequence[Any]], most: int) -> None:
    for name, values in grid.items():
        field = f"grid.{name}"[:_MAX_SHOWN]
        if name not in JobRequest.model_fields:
            raise InvalidRequest("there is no such field", field=field)
        if name in template:
            raise InvalidRequest("is in the template too", field=field)
        if not values:
            raise InvalidRequest("must have a value", field=field)
    _check_count(prod(map(len, grid.values())), most, "grid")


def _check_count(count: int, most: int, field: str) -> None:
    if count > most:
        raise InvalidRequest(f"makes {count} jobs; the most is {most}", field=field)


def _listed(jobs: Sequence[Mapping[str, Any]]) -> Iterator[Planned]:
    for index, values in enumerate(jobs):
        yield Planned(values, partial(_in_list, index))


def _combined(template: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]) -> Iterator[Planned]:
    """One for each combination; the last field of the grid changes fastest."""
    for indexes in product(*(range(len(values)) for values in grid.values())):
        chosen = dict(zip(grid, indexes, strict=True))
        values = {name: grid[name][index] for name, index in chosen.items()}
        yield Planned({**template, **values}, partial(_in_grid, chosen))


def _in_list(index: int, field: str) -> str:
    return f"jobs.{index}.{field}".rstrip(".")


def _in_grid(chosen: Mapping[str, int], field: str) -> str:
    name, dot, rest = field.partition(".")
    if name in chosen:
        return f"grid.{name}.{chosen[name]}{dot}{rest}"
    return f"template.{field}".rstrip(".")
