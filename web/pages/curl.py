"""A job as a command to paste into a terminal."""

import json
import shlex
from collections.abc import Mapping
from typing import Any


def curl_command(base_url: str, body: Mapping[str, Any], *, needs_key: bool) -> str:
    """A cURL call that asks for the same job and waits for it; runs as is in any POSIX shell."""
    lines = [
        f"curl -sS {shlex.quote(f'{base_url}/api/v1/jobs')}",
        "-H 'Content-Type: application/json'",
        "-H 'Prefer: wait'",
        f"--data-raw {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    if needs_key:
        lines.insert(1, '-H "Authorization: Bearer $MYRIAD_KEY"')
    return " \\\n  ".join(lines)
