"""A run written to a file, as JSON for other programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.files import create_file
from kimera_tui.jsontext import to_json
from kimera_tui.redaction import redact
from kimera_tui.runs.journal.event_codec import VALUES


def write_run(folder: Path, run_id: str, events: Sequence[Any]) -> Path:
    """Write a run's events to ``run-<id>.json`` in a folder, without its secrets.

    Raises:
        UsageError: there is no such run, or the file exists or can't be written.
    """
    if not events:
        raise UsageError(f"No run {run_id}.")
    path = folder / f"run-{run_id[:8]}.json"
    rows = [{"event": type(event).__name__, **_plain(event)} for event in events]
    return write_text(path, to_json({"run": run_id, "events": rows}, indent=1))


def _plain(event: Any) -> dict[str, Any]:
    """An event's fields without secrets; values nested too deep for a copy are cut first."""
    values = {
        field.name: redact(getattr(event, field.name))
        for field in dataclasses.fields(event)
        if field.name in VALUES
    }
    plain: dict[str, Any] = redact(dataclasses.asdict(dataclasses.replace(event, **values)))
    return plain


def write_text(path: Path, text: str) -> Path:
    """Write a new file that only this user can read.

    Raises:
        UsageError: it exists, or can't be written.
    """
    try:
        create_file(path, text + "\n", private=True)
    except FileExistsError:
        raise UsageError(f"{path} already exists; it was not changed.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from error
    return path
