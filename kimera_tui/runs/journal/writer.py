"""Writes the journal, all of it on one thread: events as they come, tables folded beside them."""

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
from kimera_tui.runs.index import RunBook
from kimera_tui.runs.journal.batch_sql import Row, insert
from kimera_tui.runs.journal.bisect_write import Refused, sift
from kimera_tui.runs.journal.codec import KINDS, encode, learn
from kimera_tui.runs.journal.file import open_for_writing
from kimera_tui.runs.journal.file_errors import unusable
from kimera_tui.runs.journal.leases import LEASE_SECONDS, CancelRequests, Leases
from kimera_tui.runs.journal.owner import pid_of
from kimera_tui.runs.journal.poll_sampling import PollThinner
from kimera_tui.runs.journal.queries import events_of_run
from kimera_tui.runs.journal.retention import forget_old
from kimera_tui.runs.journal.summaries import add_run, in_the_way, renamed, update_run
from kimera_tui.runs.journal.value_codec import Packer

logger = logging.getLogger(__name__)

MOST_RUNS_IN_MEMORY = 100
_BREATHER = 50
"""Events after which the thread lets go of the interpreter: the screen has a loop to run."""

_NOT_IN_TABLES = (e.Polled, e.CallbackStarted, e.CallbackFinished, e.Forgotten, e.ChainAdvanced)
"""What changes nothing that the tables hold; most events are of these kinds."""


def _changes_no_table(event: object) -> bool:
    released = isinstance(event, e.RevokeSent) and not event.asked
    return released or isinstance(event, _NOT_IN_TABLES)


@dataclass(slots=True)
class _Open:
    """A run that is being written."""

    key: int
    packer: Packer
    owner: str


@dataclass(slots=True)
class _Transaction:
    now: float
    dirty: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    checked: set[str] = field(default_factory=set)
    """Runs of which it is known in this transaction who owns them."""
    progressed: set[str] = field(default_factory=set)
    refused: Refused = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


class Store:
    """The journal's writer; everything here is called on one thread.

    Args:
        path: The journal's file.
        owner: The name under which this console owns runs.
    """

    def __init__(self, path: Path, owner: str) -> None:
        self._path = path
        self._owner = owner
        self._db, self.notice = open_for_writing(path)
        self.leases = Leases(self._db, owner)
        self._requests = CancelRequests(self._db, owner)
        self._book = RunBook(sys.maxsize)
        self._open: dict[str, _Open] = {}
        self._packers: dict[str, Packer] = defaultdict(Packer)
        self._thinner = PollThinner()

    def write(self, events: Sequence[Event], *, durable: bool, now: float) -> Refused:
        """Write events in one transaction.

        Args:
            events: What happened, in its order; events of nobody's run are left out.
            durable: Return only when not even a loss of power can undo it.
            now: Seconds since the epoch.

        Returns:
            Why single events were not written, by their ``id``: another console has the run, or
            they can't be written down at all.

        Raises:
            JournalError: nothing was written.
        """
        return self._commit(list(self._thinner.thin(events)), durable, now)

    def take(self, run_id: str, now: float) -> list[Event]:
        """Become the owner of an open run that nobody is at; returns its events.

        Raises:
            RunTaken: somebody has it, or it has ended.
            UsageError: its beginning can't be read; it is given back.
        """
        if not self.leases.take(run_id, now):
            raise RunTaken("This run has ended, or is open in another console.")
        events = self.load(run_id)
        if not any(isinstance(event, RunStarted) for event in events):
            self.let_go(run_id)
            raise UsageError("Its beginning can't be read, so it can't go on.")
        return events

    def let_go(self, run_id: str) -> None:
        """Let other consoles take a run that was taken here."""
        self._forget(run_id)
        self.leases.let_go(run_id)

    def load(self, run_id: str) -> list[Event]:
        """A run's events, which are from now on folded further here."""
        events = events_of_run(self._db, run_id)
        self._forget(run_id)
        if events:
            key, owner = self._db.execute(
                "SELECT key, owner FROM run WHERE run_id = ?", (run_id,)
            ).fetchone()
            self._open[run_id] = _Open(key, self._packers[run_id], owner)
            self._book.apply_all(events)
        return events

    def cancel_requests(self) -> list[str]:
        """Our open runs that somebody has asked to cancel since this was called last."""
        asked = self._requests.news()
        for run_id in asked:
            self._heard(run_id)
        return asked

    def forget_old(self, now: float) -> int:
        """Remove a portion of what is too old or too much; returns how many runs went."""
        return forget_old(self._db, now)

    def close(self) -> None:
        """Write what was held back, give runs back that haven't ended, and close the file."""
        with contextlib.suppress(JournalError):
            self._commit(self._thinner.rest(), durable=False, now=0.0)
        try:
            self.leases.give_back()
            self._db.execute("PRAGMA optimize")
        except sqlite3.Error as error:
            logger.warning("The journal did not end well: %s", error)
        finally:
            self._db.close()

    def _commit(self, events: Sequence[Event], durable: bool, now: float) -> Refused:
        try:
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            refused = sift(
                self._db, events, lambda part: self._write_all(part, now), self._start_over
            )
            self._db.execute("COMMIT")
            self._leave_out_oldest()
        except sqlite3.Error as error:
            self._undo()
            raise unusable(self._path, error) from error
        except BaseException:
            self._undo()
            raise
        return refused

    def _write_all(self, events: Sequence[Event], now: float) -> Refused:
        transaction = _Transaction(now)
        for number, event in enumerate(events):
            if number % _BREATHER == _BREATHER - 1:
                time.sleep(0)
            self._add(event, transaction)
        self._insert_rows(transaction)
        self._fold_tables(transaction)
        return transaction.refused

    def _add(self, event: Event, transaction: _Transaction) -> None:
        place = self._place_of(event, transaction)
        if place is None:
            return
        run_id, path = place
        run = self._open[run_id]
        ours = run.owner == self._owner
        if not ours and (why := self._not_to_be_asked(event, run)) is not None:
            transaction.refused[id(event)] = why
            return
        data = encode(event, run.packer)
        transaction.rows.append((event.at, run.key, path, type(event).__name__, data))
        if not ours:  # its owner hears of it, and keeps the tables
            return
        if isinstance(event, RunEnded) and self._requests.is_asked(run.key):
            self._heard(run_id)
        if isinstance(event, StepIntended):
            transaction.progressed.add(run_id)
        if isinstance(event, StepRetried):
            renamed(self._db, run.key, event.path, event.task_id)
        self._note_change(event, run_id, path, transaction)

    def _not_to_be_asked(self, event: Event, run: _Open) -> Exception | None:
        """Why this can't be written of a run that isn't ours: all but asking to cancel it."""
        if not isinstance(event, RunCancelled):
            return taken(run.owner)
        ended = self._db.execute("SELECT ended FROM run WHERE key = ?", (run.key,)).fetchone()[0]
        return RunTaken("This run has ended.") if ended is not None else None

    def _heard(self, run_id: str) -> None:
        """Fold in that a run is to be cancelled, which somebody else wrote down."""
        if (run := self._book.runs.get(run_id)) is not None:
            run.cancelled = True

    def _note_change(
        self, event: Event, run_id: str, path: str | None, transaction: _Transaction
    ) -> None:
        if _changes_no_table(event) or self._book.apply(event) is None:
            return
        dirty = transaction.dirty[run_id]
        if path is not None:
            dirty.add(path)
        elif not isinstance(event, RunStarted):  # it may have touched any step
            dirty.update(self._book.runs[run_id].steps)

    def _place_of(self, event: Event, transaction: _Transaction) -> tuple[str, str | None] | None:
        """The run, and the step if it is about one; None for what belongs to no run of ours."""
        if type(event).__name__ not in KINDS:
            return None
        if isinstance(event, RunStarted):
            if self._known(event.run_id, transaction):  # it came over the bus already
                return None
            if (why := in_the_way(self._db, event)) != "":
                transaction.refused[id(event)] = RunRefused(f"{why}. Nothing was sent.")
                return None
            self._begin(event, transaction)
            return event.run_id, None
        if isinstance(event, RunEvent):
            path: str | None = getattr(event, "path", None)
            return (event.run_id, path) if self._known(event.run_id, transaction) else None
        if not isinstance(event, TaskEvent):
            return None
        found = self._book.place_of(event.task_id)
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
        return (run_id, path) if self._known(run_id, transaction) else None

    def _begin(self, event: RunStarted, transaction: _Transaction) -> None:
        packer = self._packers[event.run_id]
        learn(event, packer)
        key = add_run(self._db, event, packer, self._owner, transaction.now + LEASE_SECONDS)
        self._open[event.run_id] = _Open(key, packer, self._owner)
        transaction.checked.add(event.run_id)

    def _known(self, run_id: str, transaction: _Transaction) -> bool:
        """Whether the run is in the journal; sees in each transaction who owns it now."""
        if run_id not in self._open or run_id not in self._book.runs:
            self._insert_rows(transaction)  # what is read anew has to be there
            if not self.load(run_id):
                return False
        elif run_id not in transaction.checked:
            row = self._db.execute("SELECT owner FROM run WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:  # retention took it
                self._forget(run_id)
                return False
            self._open[run_id].owner = row[0]
        transaction.checked.add(run_id)
        return True

    def _insert_rows(self, transaction: _Transaction) -> None:
        insert(self._db, "event (ts, run, path, kind, data)", transaction.rows)
        transaction.rows.clear()

    def _fold_tables(self, transaction: _Transaction) -> None:
        for run_id, paths in transaction.dirty.items():
            run = self._book.runs[run_id]
            update_run(self._db, self._open[run_id].key, run, paths, self._open[run_id].packer)
        for run_id in transaction.progressed:
            self.leases.progressed(run_id)

    def _leave_out_oldest(self) -> None:
        """Keep memory in bounds; a run that is left out is read anew if something happens to it."""
        over = len(self._book.runs) - MOST_RUNS_IN_MEMORY
        ended = (run.run_id for run in self._book.runs.values() if run.ended is not None)
        for run_id in list(islice(ended, max(0, over))):
            self._forget(run_id)
            self._packers.pop(run_id, None)

    def _forget(self, run_id: str) -> None:
        self._open.pop(run_id, None)
        self._book.forget(run_id)

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._start_over()

    def _start_over(self) -> None:
        """After what failed, nothing in memory is trusted: it is read again when needed."""
        self._book = RunBook(sys.maxsize)
        self._open.clear()


def taken(owner: str) -> RunTaken:
    """What is said of a run that somebody else has."""
    pid = pid_of(owner)
    return RunTaken(
        f"This run is open in another console (pid {pid})." if pid else "This run was given up."
    )
