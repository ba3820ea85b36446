"""Steps of a past run whose fate is unknown: resent only after a search or a decision."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from kimera_tui.errors import UsageError
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.recovery import Fate, Fates, Past, open_steps
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState


@dataclass(frozen=True, slots=True)
class Doubt:
    """A step that would be resent and may have run, or may still run."""

    sent: tuple[StepState, StepIntended]
    """Its last known state, and what was to be sent."""
    fate: Fate | None = None
    """What a search found; None before the search."""

    @property
    def name(self) -> str:
        """Its name in ``ReplayRequest.again``."""
        step = self.sent[0]
        return step.id or step.path or "0"

    @property
    def sentence(self) -> str:
        """Its fate, for people."""
        step = self.sent[0]
        named = f"Step `{step.id or step.name}`"
        if self.fate is None:
            return f"{named} ({step.status}) will be searched for before it is resent."
        if self.fate.what == "in flight":
            return f"{named} has not ended ({self.fate.why}): resent now, it would run twice."
        if self.fate.what == "ran":
            why = f": {self.fate.why}" if self.fate.why else ""
            return f"{named} ran (its result is unknown{why}): resent, it runs twice."
        return f"{named} may have run ({self.fate.why}): resent, it may run twice."


class StepsInDoubt(UsageError):
    """Steps that a replay would resend may run twice; nothing was sent.

    Attributes:
        doubts: The steps.
    """

    def __init__(self, doubts: Sequence[Doubt]) -> None:
        sentences = " ".join(each.sentence for each in doubts)
        super().__init__(f"{sentences} Nothing was sent.")
        self.doubts = doubts


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Finds the steps of a past run that may run twice if they are resent."""

    past: Past
    mode: str
    """The replay mode."""
    allowed: Collection[str]
    """Paths of the steps that are allowed to run twice."""
    fates: Fates | None
    """What a search found, by path; None before the search."""

    def settled(self, step: StepState) -> StepState:
        """The step, marked as done if the search found its result."""
        fate = (self.fates or {}).get(step.path)
        if fate is None or fate.what != "done":
            return step
        return replace(step, status=Status.DONE, result=fate.result)

    def among(self, steps: Iterable[StepState]) -> list[Doubt]:
        """Those of the steps that may run twice."""
        # Rerunning a whole run is deliberate, even while the original is still active.
        unknown = open_steps(self.past, ended_only=self.mode in ("again", "only_step"))
        doubts = []
        for path in dict.fromkeys(step.path for step in steps):
            if path in unknown and path not in self.allowed:
                fate = None if self.fates is None else self.fates.get(path)
                if fate is None or fate.may_run_twice:
                    doubts.append(Doubt(unknown[path], fate))
        return doubts
