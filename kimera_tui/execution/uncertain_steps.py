"""Steps of a past run of which nobody can tell: not sent again without a look, or a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from kimera_tui.errors import UsageError
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.recovery import Fate, Fates, Past, open_steps
from kimera_tui.runs.state import StepState
from kimera_tui.runs.status import Status


@dataclass(frozen=True, slots=True)
class Doubt:
    """A step that would be sent again and may have run, or may still run."""

    sent: tuple[StepState, StepIntended]
    """The step as it is known, and what was to be sent."""
    fate: Fate | None = None
    """What a look found; None as long as nobody has looked."""

    @property
    def name(self) -> str:
        """By what ``Wish.again`` names it."""
        step = self.sent[0]
        return step.id or step.path or "0"

    @property
    def sentence(self) -> str:
        """What is known of it."""
        step = self.sent[0]
        named = f"Step `{step.id or step.name}`"
        if self.fate is None:
            return f"{named} ({step.status}) is looked for before it is sent again."
        if self.fate.what == "in flight":
            return f"{named} is not over ({self.fate.why}): sent again now, it would run twice."
        return f"{named} may have run ({self.fate.why}): sent again, it may run twice."


class StepsInDoubt(UsageError):
    """Steps that a replay would send again may run twice: nothing was sent.

    Attributes:
        doubts: The steps.
    """

    def __init__(self, doubts: Sequence[Doubt]) -> None:
        said = " ".join(each.sentence for each in doubts)
        super().__init__(f"{said} Nothing was sent.")
        self.doubts = doubts


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Tells which steps of a past run may run twice if they are sent again."""

    past: Past
    mode: str
    """How it is to be run again."""
    allowed: Collection[str]
    """Paths of the steps that may run twice."""
    fates: Fates | None
    """What a look found, by path; None as long as nobody has looked."""

    def settled(self, step: StepState) -> StepState:
        """The step, done if it turned out so."""
        fate = (self.fates or {}).get(step.path)
        if fate is None or fate.what != "done":
            return step
        return replace(step, status=Status.DONE, result=fate.result)

    def among(self, steps: Iterable[StepState]) -> list[Doubt]:
        """Those of the steps that may run twice, as far as is known."""
        # Who runs all of a run again means it, even while it goes on.
        unknown = open_steps(self.past, ended_only=self.mode in ("again", "only_step"))
        doubts = []
        for path in dict.fromkeys(step.path for step in steps):
            if path in unknown and path not in self.allowed:
                fate = None if self.fates is None else self.fates.get(path)
                if fate is None or fate.may_run_twice:
                    doubts.append(Doubt(unknown[path], fate))
        return doubts
