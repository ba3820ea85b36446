"""The feeding rule: how one task's result becomes the next task's arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def feed(
    args: Sequence[Any], kwargs: Mapping[str, Any], result: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Return new args and kwargs with the result fed in; the given ones are not changed.

    A dict is merged into kwargs and wins over the task's own keys, a list is appended to args,
    any other value becomes ``kwargs["payload"]``, and None feeds nothing.
    """
    fed_args, fed_kwargs = list(args), dict(kwargs)
    if isinstance(result, Mapping):
        fed_kwargs.update(result)
    elif isinstance(result, list):
        fed_args.extend(result)
    elif result is not None:
        fed_kwargs["payload"] = result
    return fed_args, fed_kwargs


def describe_feed(result: Any) -> str:
    """Describe what the rule does with a result."""
    if isinstance(result, Mapping):
        return f"merged into kwargs: {', '.join(map(str, result)) or 'nothing'}"
    if isinstance(result, list):
        return f"appended to args: {len(result)} value{'s' if len(result) != 1 else ''}"
    return "fed nothing" if result is None else "fed as kwargs.payload"
