"""Declared secrets that are too short or too common to be looked for in what a run says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from kimera_tui.known_secrets import can_be_sought
from kimera_tui.redaction import by_place


class ShortSecrets:
    """Says of one run, once for each, which of its secrets can't be hidden everywhere."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def news(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], secret: Collection[str]
    ) -> Iterator[str]:
        """A sentence for each argument that is hidden under its own name only.

        Args:
            args: What a task is sent with.
            kwargs: The same.
            secret: Names in kwargs, and positions in args, that are secret.
        """
        for name, value in {**by_place(args), **kwargs}.items():
            if name not in secret or name in self._said or not any(map(_is_short, _leaves(value))):
                continue
            self._said.add(name)
            yield (
                f"{name if name in kwargs else f'argument {name}'} is too short or common to be"
                " hidden everywhere: it is under its own name only"
            )


def _leaves(value: Any) -> Iterator[Any]:
    """What is in a value, however deep."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, Mapping):
            left.extend(each.values())
        elif isinstance(each, list | tuple):
            left.extend(each)
        else:
            yield each


def _is_short(leaf: Any) -> bool:
    return leaf is not None and not can_be_sought(leaf)
