"""Stand-ins for values that the journal doesn't hold: they can be shown, and must never be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from kimera_tui.depth import every
from kimera_tui.redaction import MASK


class NotKept(str):
    """A text in place of a value that wasn't written down; ``why`` says what is missing."""

    __slots__ = ("why",)

    why: str

    def __new__(cls, text: str, why: str = "") -> Self:
        """A stand-in that reads as ``text``."""
        made = super().__new__(cls, text)
        made.why = why
        return made

    def __copy__(self) -> Self:
        """Itself, for nothing in it ever changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself; see ``__copy__``."""
        return self


class Withheld(NotKept):
    """Stands for a secret; ``place`` says where it belongs, such as ``kwargs.token``."""

    __slots__ = ("place",)

    place: str

    def __new__(cls, place: str, text: str = MASK) -> Self:
        """A stand-in for the secret at a place."""
        made = super().__new__(cls, text, f"needs {place.removeprefix('kwargs.')} again")
        made.place = place
        return made


class TooLarge(NotKept):
    """Stands for a result that was too big to keep; ``size`` is in bytes."""

    __slots__ = ("size",)

    size: int

    def __new__(cls, size: int) -> Self:
        """A stand-in for that many bytes."""
        made = super().__new__(
            cls, f"… {size:,} bytes", f"its result was not kept ({size / 2**20:.1f} MiB)"
        )
        made.size = size
        return made


class Opaque(NotKept):
    """Stands for an object that JSON can't say; reads as its ``repr``."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """A stand-in for an object by its representation."""
        return super().__new__(cls, text, "is no value that can be written down")


def missing_in(*values: Any) -> Iterator[NotKept]:
    """Every stand-in within the values."""
    for each in every(values):
        if isinstance(each, NotKept):
            yield each
        elif isinstance(each, Mapping):
            yield from (key for key in each if isinstance(key, NotKept))


def is_whole(*values: Any) -> bool:
    """Whether nothing in the values is a stand-in."""
    return next(missing_in(*values), None) is None
