"""Stand-ins for values that the journal doesn't hold: shown, but never sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from kimera_tui.depth import every
from kimera_tui.redaction import MASK


class NotKept(str):
    """A text in place of a value that wasn't stored; ``why`` says what is missing."""

    __slots__ = ("why",)

    why: str

    def __new__(cls, text: str, why: str = "") -> Self:
        """A stand-in that reads as ``text``."""
        new = super().__new__(cls, text)
        new.why = why
        return new

    def __copy__(self) -> Self:
        """Itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself; see ``__copy__``."""
        return self


class Withheld(NotKept):
    """Stands for a secret; ``place`` is where it belongs, such as ``kwargs.token``."""

    __slots__ = ("place",)

    place: str

    def __new__(cls, place: str, text: str = MASK) -> Self:
        """A stand-in for the secret at a place."""
        new = super().__new__(cls, text, f"needs {place.removeprefix('kwargs.')} again")
        new.place = place
        return new


class TooLarge(NotKept):
    """Stands for a result that was too large to store; ``size`` is in bytes."""

    __slots__ = ("size",)

    size: int

    def __new__(cls, size: int) -> Self:
        """A stand-in for that many bytes."""
        new = super().__new__(
            cls, f"… {size:,} bytes", f"its result was not kept ({size / 2**20:.1f} MiB)"
        )
        new.size = size
        return new


class UnknownResult(NotKept):
    """Stands for the result of a step that ended and whose result is unknown."""

    __slots__ = ()

    def __new__(cls, step: str) -> Self:
        """A stand-in for the result of the step of that name."""
        return super().__new__(cls, "(unknown)", f"step {step} ended and its result is unknown")


class Opaque(NotKept):
    """Stands for an object that isn't JSON-serializable; reads as its ``repr``."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """A stand-in for an object by its representation."""
        return super().__new__(cls, text, "cannot be stored")


def missing_in(*values: Any) -> Iterator[NotKept]:
    """Every stand-in in the values."""
    for each in every(values):
        if isinstance(each, NotKept):
            yield each
        elif isinstance(each, Mapping):
            yield from (key for key in each if isinstance(key, NotKept))


def is_whole(*values: Any) -> bool:
    """Whether the values hold no stand-in."""
    return next(missing_in(*values), None) is None
