"""What diffusers and peft raise over an adapter's files, as Myriad's error that names it."""

from collections.abc import Iterator
from contextlib import contextmanager

from myriad.adapter import ControlNet, Lora
from myriad.errors import ModelNotLoadable, ModelUnavailable, MyriadError
from myriad.weights import Weights
from workers.error import is_out_of_memory, short
from workers.source import called

_FIELDS: dict[type[Weights], str] = {Lora: "loras", ControlNet: "controlnets"}


@contextmanager
def load_errors(entry: Weights) -> Iterator[None]:
    """Lets our own errors and a lack of memory pass; raises ModelNotLoadable for any other.

    What a request adds to a model is named by its field: the model itself may be well.
    """
    field = _FIELDS.get(type(entry))
    try:
        yield
    except (ModelNotLoadable, ModelUnavailable) as error:
        error.field = error.field or field
        raise
    except Exception as error:
        if isinstance(error, MyriadError) or is_out_of_memory(error):
            raise
        reason = short(error, hide=entry.source)
        raise ModelNotLoadable(
            f"{called(entry)} cannot be loaded: {reason}", field=field
        ) from error
