"""JSON that somebody typed, as values that can be sent."""

from __future__ import annotations

import json
import math
from typing import Any

from kimera_tui.errors import UsageError

MAX_BYTES = 1 << 20
MAX_DEPTH = 40


def parse_json(text: str, name: str) -> Any:
    """A JSON value that can be sent.

    Args:
        text: The JSON.
        name: What errors call it.

    Raises:
        UsageError: it isn't JSON, repeats a key, or holds what can't be sent.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"{name}: {len(text)} characters; at most {MAX_BYTES} are allowed.")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise UsageError(f"{name}: duplicate key `{key}`.")
            found[key] = value
        return found

    def refuse(constant: str) -> Any:
        raise UsageError(f"{name}: {constant} cannot be sent.")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{name}: not JSON: line {error.lineno} column {error.colno}: {error.msg}."
        ) from error
    except RecursionError as error:
        raise UsageError(f"{name}: nested deeper than {MAX_DEPTH} levels.") from error
    except ValueError as error:  # an integer of thousands of digits
        raise UsageError(f"{name}: number too large.") from error
    _check(value, name, 0)
    return value


def _check(value: Any, name: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise UsageError(f"{name}: nested deeper than {MAX_DEPTH} levels.")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name}: number too large.")
    if isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            _check(child, name, depth + 1)
