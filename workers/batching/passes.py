"""Forward passes: run for those who share one, timed, told to whoever learns, and halved."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from workers.batching.join import join, split
from workers.batching.pace import Pace
from workers.batching.parked import Parked
from workers.batching.part import halves, united
from workers.batching.policy import Pass, RowPolicy
from workers.batching.stopwatch import Stopwatch
from workers.error import is_out_of_memory
from workers.figures import Figures

FEWER_ROWS: Final = "out of memory: fewer rows in one forward pass"


class Passes:
    """Runs on the engine thread. `count` is how many have run."""

    def __init__(
        self,
        policy: RowPolicy,
        stopwatch: Stopwatch,
        free_cache: Callable[[], None],
        figures: Figures | None,
    ) -> None:
        self._policy, self._stopwatch = policy, stopwatch
        self._free_cache, self._figures = free_cache, figures
        self.pace = Pace()
        self.count = 0

    def answer(self, members: Sequence[Parked]) -> list[Any]:
        """What each is answered, in order. Raises what the model does."""
        return [self._alone(*members)] if len(members) == 1 else self._together(members)

    def too_many(self, members: Sequence[Parked]) -> None:
        """The rows of these did not fit together."""
        self._free_cache()
        if members[0].bucket:
            return  # it has as many rows as ever, whoever is in it
        rows = sum(member.call.rows for member in members)
        self._policy.out_of_memory(members[0].call.shape, rows)
        if self._figures:
            self._figures.count_rung(FEWER_ROWS)
        for member in members:
            member.request.terms.on_notice(FEWER_ROWS)

    def _alone(self, member: Parked) -> Any:
        """The answer to one call, in as many passes as the memory needs."""
        rows, shape = member.call.rows, member.call.shape
        if rows == 1 or member.bucket:
            return self._together([member])[0]
        if rows <= self._policy.most_rows(shape):
            try:
                return self._together([member])[0]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Here and no earlier: the error's frames held the failed pass's tensors.
            self.too_many([member])
        parts = [replace(member, call=half) for half in halves(member.call)]
        return united([self._alone(part) for part in parts], member.call.spec)

    def _together(self, members: Sequence[Parked]) -> list[Any]:
        first, calls = members[0], [member.call for member in members]
        if first.meeting.put_on:
            first.meeting.put_on(first.request.variant)
        rows, shape = max(first.bucket, sum(call.rows for call in calls)), first.call.shape

        def told(cost_s: float, wall_s: float) -> None:  # may be kept: holds no request
            self.pace.observe(shape, wall_s)
            self._policy.observe(shape, rows, cost_s)

        meeting, arguments = first.meeting, join(calls, first.bucket)
        lists = first.call.spec.listed | first.call.spec.ragged
        about = Pass(shape, rows, meeting.module, meeting.method, arguments, lists)
        with self._policy.watch(about), self._stopwatch.timing(told):
            outputs = meeting.forward(**arguments, return_dict=False)
        self.count += 1
        if self._figures:
            self._figures.count_pass(meeting.module, rows, len(members))
        return split(outputs, calls, first.bucket)
