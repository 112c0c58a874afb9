"""What a job remembers of its graph: the nodes clients wait to hear of, and whose socket."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from myriad.db.live import LiveJob
from myriad.record import JobRecord

LABEL = "comfyui"
"""The label of a job that holds its ticket, as JSON."""

_ID_CHARS = 64


@dataclass(frozen=True)
class Ticket:
    """Ids of nodes as the graph has them. `prompt_id` is the client's, if it gave one."""

    client: str = ""
    prompt_id: str = ""
    sampler: str = ""
    decoder: str = ""
    outputs: tuple[str, ...] = ()
    previews: tuple[str, ...] = ()

    def labels(self) -> dict[str, str]:
        """The job's metadata."""
        return {LABEL: json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))}


def ticket_of(record: JobRecord | LiveJob) -> Ticket:
    """The job's ticket; an empty one if its label is not ours."""
    return ticket_in(record.metadata)


def ticket_in(metadata: Mapping[str, str]) -> Ticket:
    """The inverse of `Ticket.labels`; an empty ticket if the label is not ours."""
    try:
        values: dict[str, Any] = json.loads(metadata.get(LABEL, "{}"))
        return Ticket(
            **values | {"outputs": tuple(values["outputs"]), "previews": tuple(values["previews"])}
        )
    except (ValueError, TypeError, KeyError):
        return Ticket()


def prompt_id_of(record: JobRecord | LiveJob) -> str:
    """The job's id as ComfyUI's clients know it: theirs, else the same 128 bits as a UUID."""
    return ticket_of(record).prompt_id or str(UUID(record.id))


def is_client_id(text: str) -> bool:
    """Whether a client may call itself or its graph so."""
    return len(text) <= _ID_CHARS and text.isascii() and text.isprintable()


def job_id_of(prompt_id: str) -> str | None:
    """Our id behind a UUID, None if it is none."""
    try:
        return UUID(prompt_id).hex
    except ValueError:
        return None


def images_of(record: JobRecord, names: list[str]) -> Mapping[str, Any]:
    """The output of each saving node: where `/view` has the pictures."""
    ticket = ticket_of(record)
    return {
        node: {
            "images": [
                {
                    "filename": name,
                    "subfolder": "",
                    "type": "temp" if node in ticket.previews else "output",
                }
                for name in names
            ]
        }
        for node in ticket.outputs
    }
