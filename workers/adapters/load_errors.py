"""What diffusers and peft raise over an adapter's files, as Myriad's error that names it."""

from collections.abc import Iterator
from contextlib import contextmanager

from myriad.errors import ModelNotLoadable, MyriadError
from myriad.weights import Weights
from workers.error import is_out_of_memory, short
from workers.source import called


@contextmanager
def load_errors(entry: Weights) -> Iterator[None]:
    """Lets our own errors and a lack of memory pass; raises ModelNotLoadable for any other."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MyriadError) or is_out_of_memory(error):
            raise
        reason = short(error, hide=entry.source)
        raise ModelNotLoadable(f"{called(entry)} cannot be loaded: {reason}") from error
