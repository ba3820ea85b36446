"""The status line: broker, age of the data, tasks in flight, lost events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.cluster.view import ClusterView
from kimera_tui.cluster.worker import WorkerState
from kimera_tui.process.events import ConnectionBack, ConnectionLost
from kimera_tui.redaction import redact_text
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.widgets.unmarked import PlainStatic


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the status line shows."""

    broker: BrokerChanged | None = None
    view: ClusterView | None = None
    in_flight: int = 0
    events: int = 0
    dropped: int = 0
    read_only: bool = False
    cancelling: tuple[int, int] | None = None
    """How many tasks of the runs being cancelled have ended, of how many; None if there are none.
    """
    lost: Mapping[str, str] = field(default_factory=dict)
    """Why the broker or the result backend is away."""

    def with_broker(self, broker: BrokerChanged) -> Vitals:
        """With the broker in another phase."""
        return replace(self, broker=broker)

    def with_connection(self, event: ConnectionLost | ConnectionBack) -> Vitals:
        """With broker or result backend lost, or back."""
        lost = {which: why for which, why in self.lost.items() if which != event.which}
        if isinstance(event, ConnectionLost):
            lost[event.which] = event.reason.rstrip(".")
        return replace(self, lost=lost)

    def with_view(self, view: ClusterView) -> Vitals:
        """With the workers' latest answers."""
        return replace(self, view=view)

    def with_cancelling(self, cancelling: tuple[int, int] | None) -> Vitals:
        """With runs being cancelled, or none."""
        return replace(self, cancelling=cancelling)

    def counted(self, in_flight: int, events: int, dropped: int) -> Vitals:
        """With so many more events, so many tasks in flight and so many events lost in all."""
        return replace(self, in_flight=in_flight, events=self.events + events, dropped=dropped)


class StatusLine(PlainStatic):
    """One line at the bottom of every mode."""

    def show(self, vitals: Vitals, now: float) -> None:
        """Show the vitals at a moment."""
        parts = [_broker(vitals), _workers(vitals, now), f"{vitals.in_flight} in flight here"]
        if vitals.cancelling is not None:
            parts.append("cancelling {}/{}".format(*vitals.cancelling))
        if vitals.read_only:
            parts.insert(0, "READ-ONLY")
        if vitals.events:
            parts.append(f"{vitals.events} event{'s' if vitals.events != 1 else ''}")
        if vitals.dropped:
            parts.append(f"{vitals.dropped} events not shown")
        failed = vitals.broker is not None and vitals.broker.phase == "failed"
        self.set_class(failed or bool(vitals.lost), "-failed")
        self.set_class(vitals.view is not None and bool(_missed(vitals.view)), "-warning")
        self.say(" " + " │ ".join(part for part in parts if part))


def _broker(vitals: Vitals) -> str:
    broker = vitals.broker
    if broker is None:
        return "starting"
    match broker.phase:
        case "starting":
            return f"{broker.label}: starting"
        case "failed":
            return f"{broker.label}: {broker.message}"
    if not vitals.lost:
        return broker.label
    which, why = next(iter(vitals.lost.items()))  # mostly both are one server
    return f"{broker.label}: {which} {safe(redact_text(why), 200)}"


def _workers(vitals: Vitals, now: float) -> str:
    if vitals.broker is None or vitals.broker.phase != "ready":
        return ""
    if vitals.view is None:
        return "asking the workers"
    if vitals.view.problem:
        return vitals.view.problem
    view = vitals.view
    count = len(view.workers)
    age = took(max(0.0, now - view.at))
    missed = "".join(f", {text}" for text in _missed(view))
    if not count:
        return f"no worker has answered{missed}, asked {age} ago"
    running = "" if view.running is None else f", {view.running} running"
    return f"{count} worker{'s' if count != 1 else ''}{missed}{running}, {age} ago"


def _missed(view: ClusterView) -> list[str]:
    """The workers that should be there and are not, and those that can't run anything."""
    counts = [
        (len(view.away_in(WorkerState.LOST)), "lost"),
        (len(view.away_in(WorkerState.SILENT)), "silent"),
        (len(view.without_pool), "without a pool"),
    ]
    return [f"{count} {what}" for count, what in counts if count]
