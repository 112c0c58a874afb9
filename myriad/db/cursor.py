"""Where a page of a list ended: lists run from newest to oldest, by time and id."""

import base64
import binascii
import re
from datetime import UTC, datetime

from myriad.errors import InvalidRequest

_ID = re.compile("[0-9a-f]{32}")


def write_cursor(created_at: datetime, row_id: str) -> str:
    """What the next page goes on after."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()} {row_id}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Raises InvalidRequest for one that we did not make."""
    try:
        moment, row_id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii").split()
        at = datetime.fromisoformat(moment).astimezone(UTC)
        if not _ID.fullmatch(row_id):
            raise ValueError("no row's id")
    except (ValueError, OverflowError, binascii.Error) as error:
        raise InvalidRequest("is not a cursor of this list", field="cursor") from error
    else:
        return at, row_id
