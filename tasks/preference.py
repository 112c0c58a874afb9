"""Which models a worker works at first: those it holds, before it loads another."""

from collections.abc import Callable, Collection

from myriad.signals import Signals

_PATIENCE_S = 10.0
"""As long as a usual load: to wait for longer costs more than it spares."""


class Preference:
    """A job whose model is not held lets jobs go before it whose model is.

    So two workers with room for one model each do not swap two models to and fro: each
    leaves the other's jobs to it. If nobody takes such a job within ten seconds from when
    it first stood back, the next worker does, whatever it holds, and so in its later stages.
    """

    def __init__(self, held_models: Callable[[], Collection[str]], signals: Signals) -> None:
        self._held_models = held_models
        self._signals = signals

    def before(self, job_id: str, model: str | None) -> tuple[str, ...]:
        """Models whose jobs may go before this one; none where it makes no difference."""
        held = tuple(self._held_models())
        if model is None or not held or model in held:
            return ()
        return held if self._signals.stands_back(job_id, _PATIENCE_S) else ()
