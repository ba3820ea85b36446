"""The thread's side of writing: transactions of event rows, with the summary tables beside them."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from kimera_tui.errors import JournalError, RunRefused, RunTaken, UsageError
from kimera_tui.process import events as e
from kimera_tui.process.events import Event, TaskEvent
from kimera_tui.runs.events import (
    RunCancelled,
    RunEnded,
    RunEvent,
    RunStarted,
    StepIntended,
    StepRetried,
)
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.batch_sql import Rejected, Row, insert, write_by_halves
from kimera_tui.runs.journal.event_codec import KINDS, encode, learn
from kimera_tui.runs.journal.file import open_for_writing
from kimera_tui.runs.journal.file_errors import unusable
from kimera_tui.runs.journal.leases import LEASE_SECONDS, CancelRequests, Leases, pid_of
from kimera_tui.runs.journal.queries import events_of_run
from kimera_tui.runs.journal.retention import PollSampler, delete_old
from kimera_tui.runs.journal.summaries import add_run, concurrency_conflict, set_task_id, update_run
from kimera_tui.runs.journal.value_codec import Packer

logger = logging.getLogger(__name__)

MAX_RUNS_IN_MEMORY = 100
_YIELD_EVERY = 50
"""Events after which the thread gives up the interpreter lock, for the screen's event loop."""

_CHANGES_NO_TABLE = (e.Polled, e.CallbackStarted, e.CallbackFinished, e.Forgotten, e.ChainAdvanced)
"""Events that leave the summary tables as they are; most events are of these kinds."""


@dataclass(slots=True)
class _Run:
    """A run that events are being written of."""

    key: int
    packer: Packer
    owner: str


@dataclass(slots=True)
class _Transaction:
    now: float
    changed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Paths of the steps whose rows are out of date, by run."""
    checked: set[str] = field(default_factory=set)
    """Runs whose owner was read in this transaction."""
    progressed: set[str] = field(default_factory=set)
    rejected: Rejected = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


class JournalWriter:
    """Writes the journal's file. Construct it and call it on one and the same thread.

    Args:
        path: The journal's file.
        owner: The name under which this console owns runs.

    Raises:
        JournalError: the file can't be used; see ``open_for_writing``.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self._path = path
        self._owner = owner
        self._db, self.notice = open_for_writing(path)
        self.leases = Leases(self._db, owner)
        self._requests = CancelRequests(self._db, owner)
        self._index = RunIndex(sys.maxsize)
        self._runs: dict[str, _Run] = {}
        self._packers: dict[str, Packer] = defaultdict(Packer)
        self._sampler = PollSampler()

    def write(self, events: Sequence[Event], *, durable: bool, now: float) -> Rejected:
        """Write events in one transaction.

        Args:
            events: What happened, in order; events of no run are left out.
            durable: Return only when even a loss of power can't undo it.
            now: Seconds since the epoch.

        Returns:
            Why single events were not written, by their ``id``: another console owns the run, or
            the event can't be represented in the file.

        Raises:
            JournalError: nothing was written.
        """
        return self._commit(list(self._sampler.sample(events)), durable, now)

    def take(self, run_id: str, now: float) -> list[Event]:
        """Become the owner of an open run without a living owner; returns its events.

        Raises:
            RunTaken: it has a living owner, or has ended.
            UsageError: its start can't be read; the run is released again.
        """
        if not self.leases.take(run_id, now):
            raise RunTaken("This run has ended, or is open in another console.")
        events = self.load(run_id)
        if not any(isinstance(event, RunStarted) for event in events):
            self.release(run_id)
            raise UsageError("This run cannot be resumed: its start in the journal is unreadable.")
        return events

    def release(self, run_id: str) -> None:
        """Let other consoles take a run that was taken here."""
        self._forget(run_id)
        self.leases.release(run_id)

    def load(self, run_id: str) -> list[Event]:
        """A run's events; later events are folded on top of them from now on."""
        events = events_of_run(self._db, run_id)
        self._forget(run_id)
        if events:
            key, owner = self._db.execute(
                "SELECT key, owner FROM run WHERE run_id = ?", (run_id,)
            ).fetchone()
            self._runs[run_id] = _Run(key, self._packers[run_id], owner)
            self._index.apply_all(events)
        return events

    def cancel_requests(self) -> list[str]:
        """Our open runs that another console asked to cancel since the last call."""
        requested = self._requests.poll()
        for run_id in requested:
            self._mark_cancelled(run_id)
        return requested

    def delete_old(self, now: float) -> int:
        """Delete a few of the runs that exceed age or size; returns how many were deleted."""
        return delete_old(self._db, now)

    def close(self) -> None:
        """Write the polls held back, release our open runs and close the file."""
        with contextlib.suppress(JournalError):
            self._commit(self._sampler.rest(), durable=False, now=0.0)
        try:
            self.leases.release_all()
            self._db.execute("PRAGMA optimize")
        except sqlite3.Error as error:
            logger.warning("The journal did not close cleanly: %s", error)
        finally:
            self._db.close()

    def _commit(self, events: Sequence[Event], durable: bool, now: float) -> Rejected:
        try:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            rejected = write_by_halves(
                self._db, events, lambda part: self._write_all(part, now), self._reset
            )
            self._db.execute("COMMIT")
            self._trim_memory()
        except sqlite3.Error as error:
            self._roll_back()
            raise unusable(self._path, error) from error
        except BaseException:
            self._roll_back()
            raise
        return rejected

    def _write_all(self, events: Sequence[Event], now: float) -> Rejected:
        transaction = _Transaction(now)
        for number, event in enumerate(events):
            if number % _YIELD_EVERY == _YIELD_EVERY - 1:
                time.sleep(0)
            self._add(event, transaction)
        self._insert_rows(transaction)
        self._update_tables(transaction)
        return transaction.rejected

    def _add(self, event: Event, transaction: _Transaction) -> None:
        place = self._place_of(event, transaction)
        if place is None:
            return
        run_id, path = place
        run = self._runs[run_id]
        ours = run.owner == self._owner
        if not ours and (error := self._rejection(event, run)) is not None:
            transaction.rejected[id(event)] = error
            return
        data = encode(event, run.packer)
        transaction.rows.append((event.at, run.key, path, type(event).__name__, data))
        if not ours:  # its owner polls for the request, and keeps the tables
            return
        if isinstance(event, RunEnded) and self._requests.has_new(run.key):
            self._mark_cancelled(run_id)
        if isinstance(event, StepIntended):
            transaction.progressed.add(run_id)
        if isinstance(event, StepRetried):
            set_task_id(self._db, run.key, event.path, event.task_id)
        self._note_change(event, run_id, path, transaction)

    def _rejection(self, event: Event, run: _Run) -> Exception | None:
        """Why an event of another owner's run can't be written: all but cancel requests are."""
        if not isinstance(event, RunCancelled):
            return _taken(run.owner)
        ended = self._db.execute("SELECT ended FROM run WHERE key = ?", (run.key,)).fetchone()[0]
        return RunTaken("This run has ended.") if ended is not None else None

    def _mark_cancelled(self, run_id: str) -> None:
        """Fold in a cancel request that another console wrote."""
        if (run := self._index.runs.get(run_id)) is not None:
            run.cancelled = True

    def _note_change(
        self, event: Event, run_id: str, path: str | None, transaction: _Transaction
    ) -> None:
        is_release = isinstance(event, e.RevokeSent) and not event.asked
        if is_release or isinstance(event, _CHANGES_NO_TABLE) or self._index.apply(event) is None:
            return
        changed = transaction.changed[run_id]
        if path is not None:
            changed.add(path)
        elif not isinstance(event, RunStarted):  # it may have changed any step
            changed.update(self._index.runs[run_id].steps)

    def _place_of(self, event: Event, transaction: _Transaction) -> tuple[str, str | None] | None:
        """The run and, if the event is about one, the step; None for events not to be written."""
        if type(event).__name__ not in KINDS:
            return None
        if isinstance(event, RunStarted):
            return self._place_of_start(event, transaction)
        if isinstance(event, RunEvent):
            path: str | None = getattr(event, "path", None)
            return (event.run_id, path) if self._is_known(event.run_id, transaction) else None
        if not isinstance(event, TaskEvent):
            return None
        found = self._index.place_of(event.task_id)
        if found is not None:
            run_id, path = found[0].run_id, found[1].path
        else:
            row = self._db.execute(
                "SELECT run.run_id, step.path FROM step JOIN run ON run.key = step.run"
                " WHERE step.task_id = ?",
                (event.task_id,),
            ).fetchone()
            if row is None:
                return None
            run_id, path = row
        return (run_id, path) if self._is_known(run_id, transaction) else None

    def _place_of_start(
        self, event: RunStarted, transaction: _Transaction
    ) -> tuple[str, str | None] | None:
        if self._is_known(event.run_id, transaction):  # already written: it came over the bus too
            return None
        if conflict := concurrency_conflict(self._db, event):
            transaction.rejected[id(event)] = RunRefused(f"{conflict}. Nothing was sent.")
            return None
        packer = self._packers[event.run_id]
        learn(event, packer)
        key = add_run(self._db, event, packer, self._owner, transaction.now + LEASE_SECONDS)
        self._runs[event.run_id] = _Run(key, packer, self._owner)
        transaction.checked.add(event.run_id)
        return event.run_id, None

    def _is_known(self, run_id: str, transaction: _Transaction) -> bool:
        """Whether the run is in the journal; reads its owner once in each transaction."""
        if run_id not in self._runs or run_id not in self._index.runs:
            self._insert_rows(transaction)  # ``load`` must find them
            if not self.load(run_id):
                return False
        elif run_id not in transaction.checked:
            row = self._db.execute("SELECT owner FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:  # deleted for its age
                self._forget(run_id)
                return False
            self._runs[run_id].owner = row[0]
        transaction.checked.add(run_id)
        return True

    def _insert_rows(self, transaction: _Transaction) -> None:
        insert(self._db, "event (ts, run, path, kind, data)", transaction.rows)
        transaction.rows.clear()

    def _update_tables(self, transaction: _Transaction) -> None:
        for run_id, paths in transaction.changed.items():
            run = self._index.runs[run_id]
            update_run(self._db, self._runs[run_id].key, run, paths, self._runs[run_id].packer)
        for run_id in transaction.progressed:
            self.leases.progressed(run_id)

    def _trim_memory(self) -> None:
        """Forget the oldest ended runs; one that something still happens to is loaded again."""
        over = len(self._index.runs) - MAX_RUNS_IN_MEMORY
        ended = (run.run_id for run in self._index.runs.values() if run.ended is not None)
        for run_id in list(islice(ended, max(0, over))):
            self._forget(run_id)
            self._packers.pop(run_id, None)

    def _forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
        self._index.forget(run_id)

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._reset()

    def _reset(self) -> None:
        """Drop what is in memory: after a failure it is loaded from the file again."""
        self._index = RunIndex(sys.maxsize)
        self._runs.clear()


def _taken(owner: str) -> RunTaken:
    pid = pid_of(owner)
    return RunTaken(
        f"This run is open in another console (pid {pid})." if pid else "This run was released."
    )
