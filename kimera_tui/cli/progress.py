"""Progress of a run: a bar and words on a terminal, or a JSON object for each event."""

from __future__ import annotations

import sys
from typing import Any

import click

from kimera_tui.cli.json_output import objects
from kimera_tui.cli.json_output.events import facts_of, news_of
from kimera_tui.cli.output import data, narrate
from kimera_tui.process.events import Event, Observed, TaskEvent
from kimera_tui.process.loop.bus import Mailbox
from kimera_tui.runs.event_text import Words
from kimera_tui.runs.events import RunEvent, RunStarted
from kimera_tui.runs.index import RunIndex, RunState

_SILENT = frozenset({"polled", "forgotten", "released", "callback", "broker", "dispatched", "run"})
WIDTH = 24
"""Cells of the bar."""


class Progress:
    """Shows the run that is started next.

    Args:
        mailbox: Receives the events.
        as_json: Print one JSON object a line to stdout rather than words to stderr.
    """

    def __init__(self, mailbox: Mailbox, *, as_json: bool) -> None:
        self._mailbox = mailbox
        self._as_json = as_json
        self._bar = not as_json and sys.stderr.isatty()
        self._index = RunIndex()
        self._observed: set[str] = set()
        """What was observed of some step and is not repeated for others."""

    async def show(self) -> None:
        """Show what happens until cancelled."""
        while True:
            await self._mailbox.wait()
            self._show()

    def ended(self, run_id: str) -> RunState:
        """The run, after all its events have been shown."""
        self._show()
        if self._bar:
            click.echo("\r\x1b[K", nl=False, err=True)
        return self._index.runs[run_id]

    def _show(self) -> None:
        for event in self._mailbox.drain():
            shown, words = news_of(event, self._index)
            if words is not None:
                self._print(shown, words)
        if self._bar and (run := next(reversed(self._index.runs.values()), None)) is not None:
            click.echo(f"\r\x1b[K{_bar(run)}", nl=False, err=True)

    def _print(self, event: object, words: Words) -> None:
        kind, _, text = words
        place = self._place(event)
        if self._as_json:
            if isinstance(event, Event) and not isinstance(event, RunStarted):
                document = objects.RunEvent(event=kind, at=event.at, text=text, **place)
                data(document, as_json=True)
        elif kind not in _SILENT and not self._says_little(event, text):
            if self._bar:
                click.echo("\r\x1b[K", nl=False, err=True)
            step = place.get("step", "")
            narrate(f"{kind}: {step}: {text}" if step else f"{kind}: {text}")

    def _says_little(self, event: object, text: str) -> bool:
        """Whether an observation is the same for many steps, or only how far a queue has moved."""
        if not isinstance(event, Observed):
            return False
        if event.where == "queued" and not event.doubt:
            return True
        known = text in self._observed
        self._observed.add(text)
        return known

    def _place(self, event: object) -> dict[str, Any]:
        if (found := self._index.step_of(event)) is not None:
            run, step = found
            named = {"run": run.run_id, "step": step.id or step.path or "0", "task": step.name}
            return {**named, **facts_of(step)}
        known = facts_of(None)
        if isinstance(event, TaskEvent):
            return {**known, "task_id": event.task_id}
        return {**known, "run": event.run_id} if isinstance(event, RunEvent) else known


def _bar(run: RunState) -> str:
    share = run.done / run.total if run.total else 1.0
    filled = round(WIDTH * share)
    words = f"{run.done}/{run.total}"
    if (cancelling := run.cancelling) is not None:
        words += ", cancelling {}/{}".format(*cancelling)
    return f"{'━' * filled}{'─' * (WIDTH - filled)} {words}"
