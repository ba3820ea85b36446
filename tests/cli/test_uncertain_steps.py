"""A step of which nobody could tell will be searched for before it is resent, and asked about."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.process import events as e
from kimera_tui.process.celery_app import make_app
from kimera_tui.process.loop.clock import new_id
from kimera_tui.runs.events import RunEnded, RunStarted, StepIntended
from kimera_tui.runs.plan import Node, PlannedTask
from tests.cli.conftest import Run, environment
from tests.conftest import REPO
from tests.runs.lab import Clock, opened

FRIENDS = """
friends:
  echo: {route: echo, queue: echo}
  far: {route: echo, queue: far-away}
"""
UNKNOWN = e.EndedUnknown(at=0, task_id="", reason="the stored result seems to be a pickle")
UNCERTAIN = e.Refused(at=0, task_id="", reason="may or may not be queued", uncertain=True)
TIMED_OUT = e.TimedOut(at=0, task_id="", seconds=3)


@dataclass
class Lab:
    """A broker, and a journal with one run that ended without anybody knowing of its last step."""

    app: Any
    where: dict[str, str]
    task_id: str

    @property
    def client(self) -> Any:
        return self.app.backend.client

    @property
    def server(self) -> str:
        return str(self.client.info("server")["run_id"])

    def wrote(
        self, friend: str = "echo", server: str = "", end: e.TaskEvent = UNCERTAIN, **kwargs: Any
    ) -> None:
        """Have a run `r` in the journal: the first step is done, of the second nobody knows."""
        at, sent = time.time() - 60, {"payload": 7, **kwargs}
        tasks = [
            PlannedTask(f"{self.task_id}-0", "echo", "value", kwargs={"payload": 1}),
            PlannedTask(self.task_id, friend, "value", kwargs=sent),
        ]
        steps = [Node("task", str(n), task=each, id=f"s{n}") for n, each in enumerate(tasks)]
        begun = RunStarted(
            at=at, run_id="r", name="run r", plan=Node("chain", "", tuple(steps)),
            profile=self.where["BROKER_URL"],
        )  # fmt: skip

        def of(event: Any, task_id: str) -> Any:
            return type(event)(**{**_fields(event), "at": at + 1, "task_id": task_id})

        async def write() -> None:
            async with opened(Path(self.where["KIMERA_HOME"]) / "state/runs.db", Clock()) as opn:
                journal, bus = opn
                await journal.begin(begun)
                for path, planned in begun.plan.leaves():
                    intent = StepIntended(
                        at=at, run_id="r", path=path, task_id=planned.task_id,
                        kwargs=dict(planned.kwargs), server=server or self.server, args=(),
                    )  # fmt: skip
                    await journal.keep(intent)
                done = e.Succeeded(at=at + 1, task_id=tasks[0].task_id, result=1)
                bus.publish(done)
                bus.publish(of(end, self.task_id))
                await journal.end(RunEnded(at=at + 2, run_id="r", error="uncertain"))

        asyncio.run(write())

    def publish(self, queue: str = "echo") -> None:
        """Do what the run did: publish the step, with its marker."""
        self.client.set(f"kimera:pub:{self.task_id}", "1", ex=60)
        self.app.send_task("echo.value", kwargs={"payload": 7}, task_id=self.task_id, queue=queue)


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}


@pytest.fixture
def lab(tmp_path: Path, broker_url: str) -> Iterator[Lab]:
    (tmp_path / "friends.yaml").write_text(FRIENDS)
    app = make_app(broker_url, broker_url)
    where = {
        "KIMERA_HOME": str(tmp_path), "KIMERA_FRIENDS": str(tmp_path / "friends.yaml"),
        "BROKER_URL": broker_url, "RESULT_BACKEND": broker_url,
    }  # fmt: skip
    yield Lab(app, where, new_id())
    app.backend.client.delete("far-away")


REUSED, SENT = [1, 7], [1, 1]
"""Results: sent again, the second step is fed with the first one's."""


def results(done: subprocess.CompletedProcess[str]) -> list[Any]:
    return [step["result"] for step in json.loads(done.stdout)["steps"]]


def newest(run: Run, lab: Lab) -> dict[str, Any]:
    """The run that was begun last."""
    return json.loads(run("runs", "--json", **lab.where).stdout.splitlines()[0])


@pytest.mark.parametrize(
    "end", [UNCERTAIN, TIMED_OUT, UNKNOWN], ids=["uncertain", "timed out", "result unknown"]
)
def test_what_turns_out_done_is_reused(run: Run, lab: Lab, end: e.TaskEvent) -> None:
    lab.wrote(end=end)
    lab.publish()
    lab.app.AsyncResult(lab.task_id).get(timeout=30)
    done = run("replay", "r", "--from-failed", "--json", **lab.where)
    assert done.returncode == 0, done.stderr
    assert results(done) == REUSED
    plan = newest(run, lab)
    shown = run("watch", plan["run"], "--json", **lab.where)
    assert "sending" not in shown.stderr
    assert shown.stderr.count("reused") == 2


def test_what_was_never_sent_is_sent(run: Run, lab: Lab) -> None:
    lab.wrote()
    done = run("replay", "r", "--from-failed", "--json", **lab.where)
    assert done.returncode == 0, done.stderr
    assert results(done) == SENT


@pytest.mark.parametrize("way", [["--from-failed"], [], ["--only", "s1"], ["--from", "s1"]])
def test_what_is_still_queued_is_not_sent_a_second_time(run: Run, lab: Lab, way: list[str]) -> None:
    lab.wrote("far")
    lab.publish("far-away")
    done = run("replay", "r", *way, **lab.where)
    assert done.returncode == 2
    where = "Step `s1` has not ended (in queue far-away, next in line)"
    assert f"{where}: resent now, it would run twice. Nothing was sent." in done.stderr
    assert "--send-again s1" in done.stderr
    assert lab.client.llen("far-away") == 1
    assert newest(run, lab)["run"] == "r"


PICKLED = b"\x80\x02}q\x00(X\x06\x00\x00\x00statusq\x01X\x07\x00\x00\x00SUCCESSq\x02u."


def test_what_ran_without_a_known_result_is_not_sent_a_second_time(run: Run, lab: Lab) -> None:
    lab.wrote(end=UNKNOWN)
    key = f"celery-task-meta-{lab.task_id}"
    for stored in (b"", PICKLED):
        lab.client.set(key, stored)
        done = run("replay", "r", "--from-failed", **lab.where)
        assert done.returncode == 2
        assert "Step `s1` ran (its result is unknown: " in done.stderr
        assert "the stored result seems to be a pickle" in done.stderr
        assert "resent, it runs twice. Nothing was sent." in done.stderr
        assert "--send-again s1" in done.stderr
    lab.client.delete(key)
    assert newest(run, lab)["run"] == "r"
    allowed = run("replay", "r", "--from-failed", "--send-again", "s1", "--json", **lab.where)
    assert allowed.returncode == 0, allowed.stderr
    assert results(allowed) == SENT


def test_what_nothing_can_tell_is_left_to_the_operator(run: Run, lab: Lab) -> None:
    lab.wrote(server="restarted since")
    asked = run("replay", "r", "--from-failed", "--dry-run", **lab.where)
    assert "Step `s1` (uncertain) will be searched for before it is resent." in asked.stderr
    refused = run("replay", "r", "--from-failed", **lab.where)
    assert refused.returncode == 2
    assert "Step `s1` may have run (the broker was restarted since" in refused.stderr
    assert "Wait for them to end, or allow it: --send-again s1" in refused.stderr
    assert newest(run, lab)["run"] == "r"
    done = run("replay", "r", "--from-failed", "--send-again", "s1", "--json", **lab.where)
    assert done.returncode == 0, done.stderr
    assert results(done) == SENT


def test_a_result_that_may_repeat_a_secret_is_not_taken_over(run: Run, lab: Lab) -> None:
    lab.wrote(token="canary-17")
    lab.publish()
    lab.app.AsyncResult(lab.task_id).get(timeout=30)
    done = run("replay", "r", "--from-failed", "--set", "s1.token=new", **lab.where)
    assert done.returncode == 2
    assert "it succeeded, but its result is not reused" in done.stderr
    assert "canary" not in done.stderr


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 2), (b"y\n", 0)])
def test_on_a_terminal_the_operator_is_asked(
    lab: Lab, runtime_dir: Path, answer: bytes, code: int
) -> None:
    lab.wrote(server="restarted since")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kimera_tui", "replay", "r", "--from-failed"],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO,
        env=environment(KIMERA_RUNTIME_DIR=str(runtime_dir), **lab.where),
    )  # fmt: skip
    os.write(ours, answer)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Step `s1` may have run" in errors
    assert "Send s1 again? [y/N]" in errors
    os.close(ours)
    os.close(theirs)


def test_a_step_that_is_not_there_is_not_allowed_to_run_twice(run: Run, lab: Lab) -> None:
    lab.wrote()
    done = run("replay", "r", "--send-again", "s7", **lab.where)
    assert done.returncode == 2
    assert "The run has no step `s7`" in done.stderr


def test_send_again_goes_with_from_failed(run: Run, lab: Lab) -> None:
    done = run("run", "nightly", "--send-again", "s1", **lab.where)
    assert done.returncode == 2
    assert "--send-again says what --from-failed may send again" in done.stderr


def test_the_hint_after_a_timeout_says_what_is_looked_for_and_so_it_is(
    run: Run, broker_url: str, tmp_path: Path
) -> None:
    home = {"KIMERA_HOME": str(tmp_path)}
    path = tmp_path / "slow.kimera.yaml"
    path.write_text(
        "kimera: 1\nname: slow\ndefaults: {timeout: 1s, on_timeout: leave}\n"
        "steps: [{id: a, task: flaky.sleep, kwargs: {seconds: 15}}]\n"
    )
    ended = run("run", str(path), **home)
    assert ended.returncode == 3
    run_id = json.loads(run("runs", "--json", **home).stdout)["run"][:8]
    assert (
        f"kimera-tui run ... --from-failed {run_id} continues from there. Before it" in ended.stderr
    )
    assert "looks for them: a." in ended.stderr
    again = run("run", str(path), "--from-failed", run_id, **home)
    assert again.returncode == 2
    assert "Step `a` has not ended (with worker " in again.stderr
    assert len(run("runs", "--json", **home).stdout.splitlines()) == 1


def test_the_hint_after_a_send_says_the_same(run: Run, broker_url: str, tmp_path: Path) -> None:
    home = {"KIMERA_HOME": str(tmp_path)}
    ended = run("send", "flaky", "sleep", "--args", "[15]", "--timeout", "1s", **home)
    assert ended.returncode == 3
    assert "looks for it before it sends it again." in ended.stderr
    run_id = json.loads(run("runs", "--json", **home).stdout)["run"][:8]
    again = run("replay", run_id, **home)
    assert again.returncode == 2
    assert "Step `flaky.sleep` has not ended" in again.stderr
    assert "--send-again 0" in again.stderr
