"""The torture's ground: a server, a worker, consoles that are killed, and what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.queries import events_of_run
from kimera_tui.runs.journal.summaries import run_summary, step_row
from kimera_tui.runs.journal.value_codec import Packer
from tests.conftest import REPO
from tests.process.redis.servers import Server, unrelated_worker, wait_for_worker
from tests.torture.shapes import DOCUMENTS, HANDED_OVER, SHAPES, SLOW
from tests.torture.zygote import Order

MOST_RESTARTS = 12
PAUSE = 0.04
"""Seconds that a task takes in runs that are killed at random: else they'd be over too soon."""


@contextlib.contextmanager
def torture_worker(server: Server, broker: str = "") -> Iterator[None]:
    """A worker whose results go to the server, beside one that has nothing to do with its queue.

    Args:
        server: Keeps results and counts.
        broker: Where messages come from; empty for the server.
    """
    broker = broker or server.url()
    env = {
        **os.environ,
        "LAB_BROKER": broker,
        "LAB_BACKEND": server.url(),
        "LAB_COUNTS": server.url(5),
    }
    process = subprocess.Popen(
        [
            sys.executable, "-m", "celery", "-A", "torture_tasks", "worker", "-P", "threads",
            "-c", "4", "--without-mingle", "--without-gossip", "--without-heartbeat",
            "-l", "WARNING", "-Q", "torture", "-n", "torture@lab",
        ],
        cwd=Path(__file__).parent, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with unrelated_worker(broker, server.url(), server.url(5)):
            wait_for_worker(broker, "torture@lab", process)
            yield
    finally:
        process.kill()
        process.wait()


class Zygote:
    """The process that consoles are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zygote"],
            cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def console(self, order: Order, started: Callable[[int], None] | None = None) -> int:
        """Run one console to its end, or to its death; returns its exit code.

        Args:
            order: What it does.
            started: Gets its process id.
        """
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if started is not None:
            started(pid)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Outcome:
    """What came of one run and its crashes."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    unended: int = 0
    wrong: list[str] = field(default_factory=list)
    points: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.kills + other.kills,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.unended + other.unended,
            self.wrong + other.wrong,
            self.points + other.points,
        )

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.unended or self.wrong)


STATUS_OF = {
    "chain of 5": ["done"],
    "para of 8": ["done"],
    "chain, para, chain": ["done"],
    "a failing step": ["failed"],
    "replay from failed": ["failed", "done"],
    "retries": ["done"],
    "on_error and finally": ["failed"],
    "conditions and look-ups": ["done"],
    HANDED_OVER: ["done"],
    SLOW: ["done"],
}
"""How the runs of each shape end."""
RAN = {
    "chain of 5": 5,
    "para of 8": 8,
    "chain, para, chain": 6,
    "a failing step": 3,
    "replay from failed": 5,
    "retries": 6,
    "on_error and finally": 5,
    "conditions and look-ups": 2,
    HANDED_OVER: 7,
    SLOW: 4,
}
"""How many tasks run, each try counted; three in the run that fails, two more in its replay."""


class Torture:
    """Runs shapes, kills their consoles and looks at what is left.

    Args:
        server: Broker, results and counts.
        zygote: Where consoles come from.
        folder: For their journals.
        broker: The consoles' broker, if that isn't the server itself.
    """

    def __init__(self, server: Server, zygote: Zygote, folder: Path, broker: str = "") -> None:
        self._server = server
        self._zygote = zygote
        self._folder = folder
        self._broker = broker or server.url()
        self._runs = 0

    def order(self, shape: str, **how: Any) -> Order:
        """A console for a new run."""
        self._runs += 1
        folder = self._folder / f"run-{self._runs}"
        name = f"{os.getpid()}-{folder}"
        return Order(str(folder / "runs.db"), self._broker, shape, name, **how)

    def after_a_crash(self, order: Order, kill_after: float = 0.0) -> Order:
        """The next console for the same run."""
        return replace(order, kill_at=0, kill_after=kill_after, trace="")

    def one_run(
        self,
        shape: str,
        kills: Sequence[float] = (),
        started: Callable[[int], None] | None = None,
        **how: Any,
    ) -> Outcome:
        """One run: a console that is killed, and others after it until nothing is open.

        Args:
            shape: Name of the shape.
            kills: Seconds after which the later consoles are killed.
            started: Gets the process id of the first console.
            **how: More fields of the first console's order.
        """
        order = self.order(shape, **how)
        code = self._zygote.console(order, started)
        killed = 0
        for kill_after in [*kills, *[0.0] * MOST_RESTARTS]:
            if code == 0:
                break
            assert code == -signal.SIGKILL, f"the console left with {code}"
            killed += 1
            code = self._zygote.console(self.after_a_crash(order, kill_after))
        outcome = self.judged(order)
        outcome.kills = killed
        return outcome

    def points_of(self, shape: str) -> list[str]:
        """The names of the points that a run passes if nobody kills its console."""
        trace = self._folder / "trace"
        assert self.one_run(shape, trace=str(trace)).good
        return trace.read_text().splitlines()

    def every_point(self, shape: str, step: int = 1) -> Outcome:
        """Kill at every crash point, or at each so-manieth, one run for each."""
        total = Outcome()
        for at in range(1, len(self.points_of(shape)) + 1, step):
            total += self.one_run(shape, kill_at=at)
        return total

    def first_bad(self, shape: str, without: str) -> Outcome | None:
        """Kill at one point after the other until a run goes wrong."""
        for at in range(1, len(self.points_of(shape)) + 1):
            outcome = self.one_run(shape, kill_at=at, without=without)
            if not outcome.good:
                return outcome
        return None

    def random_kills(self, rng: random.Random, runs: int, longest: float = 0.25) -> Outcome:
        """Kill up to six consoles of a run, each after a random time of at most ``longest`` s."""
        total = Outcome()
        for _ in range(runs):
            times = [rng.uniform(0.001, longest) for _ in range(rng.randint(1, 6))]
            shape = rng.choice([*SHAPES, *DOCUMENTS])
            total += self.one_run(shape, times[1:], kill_after=times[0], pause=PAUSE)
        return total

    def has_begun(self, order: Order) -> bool:
        """Whether the run came as far as into the journal."""
        return sqlite3.connect(order.journal).execute("SELECT 1 FROM run").fetchone() is not None

    def judged(self, order: Order) -> Outcome:
        """What came of a run, once the worker has nothing left to do."""
        outcome = Outcome(points=1)
        self._wait_until_idle()
        self._judge(order, outcome)
        return outcome

    def _wait_until_idle(self) -> None:
        client = self._server.client()
        until = time.monotonic() + 10
        while client.llen("torture") or client.hlen("unacked"):
            assert time.monotonic() < until, "the worker didn't come to an end"
            time.sleep(0.01)

    def _judge(self, order: Order, outcome: Outcome) -> None:
        db = sqlite3.connect(order.journal)
        runs = db.execute("SELECT run_id, status, ended FROM run ORDER BY key").fetchall()
        wanted = STATUS_OF[order.shape]
        for run_id, _status, ended in runs:
            outcome.unended += ended is None
            self._compare(db, run_id, outcome)
        if [status for _, status, _ in runs] != wanted:
            outcome.wrong.append(f"{order.shape}: {runs}")
        counted = int(self._server.client(5).hget("of", order.name) or 0)
        outcome.lost += max(0, RAN[order.shape] - counted)
        outcome.doubled += max(0, counted - RAN[order.shape])

    def _compare(self, db: sqlite3.Connection, run_id: str, outcome: Outcome) -> None:
        """No task ran twice or unasked, and the tables are what a fold of the events says."""
        index = RunIndex()
        index.apply_all(events_of_run(db, run_id))
        run = index.runs[run_id]
        key, *stored = db.execute(
            "SELECT key, status, done, total, ended, error FROM run WHERE run_id = ?", (run_id,)
        ).fetchone()
        if tuple(stored) != run_summary(run, Packer()):
            outcome.wrong.append(f"table {stored}, fold {run_summary(run, Packer())}")
        counts = self._server.client(5)
        for path, step in run.steps.items():
            row = db.execute(
                "SELECT path, status, sent, began, ended, error FROM step"
                " WHERE run = ? AND path = ?",
                (key, path),
            ).fetchone()
            if row != step_row(step, Packer()):
                outcome.wrong.append(f"table {row}, fold {step_row(step, Packer())}")
            times = int(counts.hget("runs", step.task_id) or 0)
            if times != step.was_sent:
                outcome.wrong.append(f"{path} is {step.status} and ran {times} times")
