"""The status line: which broker, how old the data is, what is in flight, what was lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.cluster.inspector import ClusterView
from kimera_tui.ui.text import took
from kimera_tui.ui.widgets.plain import PlainStatic


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the status line tells."""

    broker: BrokerChanged | None = None
    view: ClusterView | None = None
    in_flight: int = 0
    events: int = 0
    dropped: int = 0
    read_only: bool = False

    def with_broker(self, broker: BrokerChanged) -> Vitals:
        """With the broker in another phase."""
        return replace(self, broker=broker)

    def with_view(self, view: ClusterView) -> Vitals:
        """With the workers' latest answers."""
        return replace(self, view=view)

    def counted(self, in_flight: int, events: int, dropped: int) -> Vitals:
        """With so many more events, so many tasks in flight and so many events lost in all."""
        return replace(self, in_flight=in_flight, events=self.events + events, dropped=dropped)


class StatusLine(PlainStatic):
    """One line at the bottom of every mode."""

    def show(self, vitals: Vitals, now: float) -> None:
        """Show the vitals at a moment."""
        parts = [_broker(vitals.broker), _workers(vitals, now), f"{vitals.in_flight} in flight"]
        if vitals.read_only:
            parts.insert(0, "READ-ONLY")
        if vitals.events:
            parts.append(f"{vitals.events} events")
        if vitals.dropped:
            parts.append(f"{vitals.dropped} events not shown")
        failed = vitals.broker is not None and vitals.broker.phase == "failed"
        self.set_class(failed, "-failed")
        self.say(" " + " │ ".join(part for part in parts if part))


def _broker(broker: BrokerChanged | None) -> str:
    if broker is None:
        return "starting"
    match broker.phase:
        case "starting":
            return f"{broker.label}: starting"
        case "failed":
            return f"{broker.label}: {broker.message}"
    return broker.label


def _workers(vitals: Vitals, now: float) -> str:
    if vitals.broker is None or vitals.broker.phase != "ready":
        return ""
    if vitals.view is None:
        return "asking the workers"
    if vitals.view.problem:
        return vitals.view.problem
    count = len(vitals.view.workers)
    age = took(max(0.0, now - vitals.view.at))
    if not count:
        return f"no worker has answered, asked {age} ago"
    return f"{count} worker{'s' if count != 1 else ''}, {age} ago"
