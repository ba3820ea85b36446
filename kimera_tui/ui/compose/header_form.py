"""The form for a workflow's header: name, limits and step defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.errors import UsageError
from kimera_tui.ui.compose.forms import Section
from kimera_tui.ui.compose.step_form import (
    count_field,
    duration_field,
    on_timeout_field,
    retry_fields,
    retry_of,
)
from kimera_tui.ui.widgets.field import Field


def header_sections(document: Document) -> list[Section]:
    """The form sections, filled in from a document."""
    defaults, concurrency = document.defaults, document.concurrency
    key = "" if concurrency is None else concurrency.key
    env = " ".join(document.env)
    limit = None if concurrency is None else concurrency.limit
    return [
        (
            "",
            {
                "name": Field("name", _name, document.name, "what runs are called"),
                "description": Field("description", str, document.description, "none"),
                "timeout": duration_field("timeout  of the run", document.timeout, "none"),
                "env": Field("env  variables that templates look up", str.split, env, "none"),
                "concurrency": Field("concurrency key", str.strip, key, "none"),
                "limit": count_field("limit  of runs with the same key", limit, "1"),
            },
        ),
        (
            "Defaults for its steps",
            {
                "friend": Field("friend", str.strip, defaults.friend or "", "none"),
                "step timeout": duration_field("step timeout", defaults.timeout, "the friend's"),
                "start_timeout": duration_field(
                    "start timeout  in the queue", defaults.start_timeout, "none"
                ),
                "on_timeout": on_timeout_field(defaults.on_timeout),
                **retry_fields(defaults.retry),
            },
        ),
    ]


def header_from(document: Document, values: Mapping[str, Any]) -> Document:
    """Build a document without steps from the field values.

    Raises:
        UsageError: a concurrency limit is given without a key.
        ValidationError: a value violates the workflow format.
    """
    retry = retry_of(values, document.defaults.retry)
    defaults = {
        "friend": values["friend"],
        "timeout": values["step timeout"],
        "start_timeout": values["start_timeout"],
        "on_timeout": values["on_timeout"],
        "retry": retry,
    }
    provided = {name: value for name, value in defaults.items() if value not in (None, "")}
    data: dict[str, Any] = {"name": values["name"]}
    if values["description"]:
        data["description"] = values["description"]
    if values["timeout"] is not None:
        data["timeout"] = values["timeout"]
    if values["env"]:
        data["env"] = values["env"]
    if provided:
        data["defaults"] = provided
    if values["concurrency"]:
        data["concurrency"] = {"key": values["concurrency"], "limit": values["limit"] or 1}
    elif values["limit"] is not None:
        raise UsageError("concurrency: runs are counted by a key; give a key, or no limit.")
    return Document.model_validate(data)


def _name(text: str) -> str:
    if not re.search(r"\S", text):
        raise UsageError("name: is required.")
    return text.strip()
