"""Secrets that are too short or too common to mask wherever they occur."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from kimera_tui.known_secrets import can_be_sought
from kimera_tui.redaction import by_place


class ShortSecrets:
    """Reports, once each, the secrets of a run that cannot be masked everywhere."""

    def __init__(self) -> None:
        self._reported: set[str] = set()

    def news(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], secret: Collection[str]
    ) -> Iterator[str]:
        """A sentence for each new argument that is masked only under its own name.

        Args:
            args: Positional arguments of a task.
            kwargs: Named arguments of the task.
            secret: Names in kwargs, and positions in args, that are secret.
        """
        for name, value in {**by_place(args), **kwargs}.items():
            if name not in secret or name in self._reported:
                continue
            if any(map(_is_short, _leaves(value))):
                self._reported.add(name)
                yield (
                    f"{name if name in kwargs else f'argument {name}'} is too short or common to"
                    " mask everywhere: it is masked only under its own name"
                )


def _leaves(value: Any) -> Iterator[Any]:
    """The scalars in a value, at any depth."""
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
