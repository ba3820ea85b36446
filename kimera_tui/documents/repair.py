"""Remove format errors from a document, so that the rest of it can be checked too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.config.validation_errors import at
from kimera_tui.documents.document import KINDS, Document
from kimera_tui.documents.schema_errors import (
    MOST,
    FormError,
    is_step,
    misspelt_kind,
    validated,
)
from kimera_tui.yaml.reading import Key

ROUNDS = 4
"""Maximum rounds; a step of unknown kind hides the errors below it until it is repaired."""
_CARRIES = frozenset({("inputs",), ("env",), ("defaults",), ("defaults", "friend")})
"""Parts that the rest is checked against; without them no document is returned."""


@dataclass(slots=True)
class Repair:
    """The outcome of repairing plain values with format errors."""

    data: Any
    document: Document | None = None
    """None if the repair failed."""
    errors: list[FormError] = field(default_factory=list)
    """Errors that were hidden at first."""
    _places: set[Key] = field(default_factory=set)
    """Paths where something was removed or inserted."""
    _around: set[Key] = field(default_factory=set)
    """The same paths and everything above them."""
    _misspelt: dict[Key, str] = field(default_factory=dict)
    """Keys of the file that were replaced, by repaired path."""
    _stand_ins: int = 0

    def explains(self, path: Key) -> bool:
        """Whether a problem at a path may come from the repair itself."""
        if any(path[:length] in self._places for length in range(1, len(path) + 1)):
            return True
        if path[:1] == ("inputs",):
            return path[:2] in self._around
        if path[:-1] not in self._around:
            return False
        # A removed key may have named the friend, or provided what is missing.
        return path[-1:] == ("kwargs",) or (
            path[-1:] == ("task",) and "." not in at(self.data, path)
        )

    def written(self, path: Key) -> Key:
        """The path in the file, with the keys as the file has them."""
        lengths = range(1, len(path) + 1)
        return tuple(self._misspelt.get(path[:length], path[length - 1]) for length in lengths)

    def make(self, errors: Sequence[FormError]) -> None:
        """Remove and insert values until the rest is a document."""
        for _ in range(ROUNDS):
            if len(errors) >= MOST:
                return  # there are more errors than were collected
            for error in reversed(errors):
                self._note(error.path)
                self._mend(error)
            self.document, errors = validated(self.data)
            if self.document is not None:
                break
            self.errors += [each for each in errors if each.path not in self._around]
        if self._places & _CARRIES:
            self.document = None

    def _note(self, place: Key) -> None:
        self._places.add(place)
        self._around |= {place[:length] for length in range(1, len(place) + 1)}

    def _mend(self, error: FormError) -> None:
        path = error.path
        if not path:
            return
        owner, last = at(self.data, path[:-1]), path[-1]
        if error.kind == "step_kind":
            owner[last] = self._with_one_kind(path, owner[last])
        elif path == ("name",):
            owner[last] = "unnamed"
        elif is_step(path[:-1]) and last in ("id", *KINDS):
            owner[last] = self._stand_in(str(last))
        elif len(path) == 2 and path[0] == "inputs" and not error.of_key:
            owner[last] = {}
        elif error.kind == "missing":
            self._mend(FormError(path[:-1], ""))
        elif isinstance(owner, dict):
            owner.pop(last, None)
        elif isinstance(owner, list):
            del owner[int(last)]

    def _with_one_kind(self, path: Key, step: Any) -> Any:
        """A step of exactly one kind, made from one with none or several."""
        if not isinstance(step, dict):
            return {"id": self._stand_in("id"), "task": self._stand_in("task")}
        kinds = [kind for kind in KINDS if kind in step]
        if kinds:
            return {key: value for key, value in step.items() if key not in kinds[1:]}
        misspelt, kind = misspelt_kind(step)
        if misspelt:
            self._misspelt[*path, kind] = misspelt
            return {(kind if key == misspelt else key): value for key, value in step.items()}
        return {**step, "task": self._stand_in("task")}

    def _stand_in(self, key: str) -> Any:
        if key == "task":
            return "unknown"
        self._stand_ins += 1
        # Unlike any name a person would choose, so that it is never suggested.
        name = f"z{self._stand_ins:039}"
        return name if key == "id" else [{"id": name, "task": "unknown"}]


def repaired(data: Any, errors: Sequence[FormError]) -> Repair:
    """Repair plain values.

    Args:
        data: The values; they are not modified.
        errors: Their format errors.
    """
    repair = Repair(copy.deepcopy(data))
    repair.make(errors)
    return repair
