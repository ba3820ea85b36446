"""Each command prints the objects of its model, and docs/json.md describes them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.cli.json_output import compare, objects
from kimera_tui.cli.json_output.objects import Printed
from kimera_tui.cli.send import _failed, _Options, _Watcher
from kimera_tui.console.export import write_run
from kimera_tui.errors import (
    BrokerUnavailable,
    JournalError,
    KimeraError,
    PublishUncertain,
    TaskFailed,
    TaskRevoked,
    UsageError,
)
from kimera_tui.process import events as e
from kimera_tui.runs.status import Status
from tests.cli.conftest import Run, environment
from tests.cli.json_page import PAGE, SECTIONS, page
from tests.conftest import REPO
from tests.runs.lab import sending, started

FRIENDS = """\
friends:
  echo: {route: echo, queue: echo, tasks: {value: {params: {payload: {type: json, default: 1}}}}}
  calculator: {route: calculator, queue: calculator, description: Adds.}
  flaky: {route: flaky, queue: flaky}
  lost: {route: echo, queue: nobody}
"""
WORKFLOW = """\
kimera: 1
name: two steps
steps:
  - {id: add, task: calculator.add, kwargs: {a: 1, b: 2}}
  - {id: show, task: echo.value, pass: first}
"""
Where = Mapping[str, str]
REFUSED = e.Refused(at=2, task_id="r-0", reason="the disk is full")
UNSURE = e.Refused(at=2, task_id="r-0", reason="the connection was lost", uncertain=True)
REVOKED = e.RemotelyRevoked(at=2, task_id="r-0")
FAILED = e.Failed(at=2, task_id="r-0", error_type="E", error_message="no")


@pytest.fixture(scope="module")
def where(broker_url: str) -> Iterator[Where]:
    """A home of the tests' own with a workflow and friends, on a broker that is kept up."""
    folder = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    (folder / "friends.yaml").write_text(FRIENDS)
    (folder / "two.kimera.yaml").write_text(WORKFLOW)
    yield {
        "KIMERA_HOME": str(folder / "home"),
        "KIMERA_FRIENDS": str(folder / "friends.yaml"),
        "KIMERA_WORKFLOWS": str(folder),
        "BROKER_URL": broker_url,
        "RESULT_BACKEND": broker_url,
        "CELERY": "1",
    }
    shutil.rmtree(folder, ignore_errors=True)


def checked(model: type[Printed], done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The objects on stdout, each of which is one of a model."""
    output = [json.loads(line) for line in done.stdout.splitlines()]
    assert output, done.stderr
    for each in output:
        model.model_validate(each)
    return output


def sent(run: Run, where: Where, *words: str, **variables: str) -> dict[str, Any]:
    """What ``send --json`` tells; all that may be known of a task is there, null where it isn't."""
    (output,) = checked(objects.SendEnd, run("send", *words, "--json", **{**where, **variables}))
    assert objects.TaskFacts.model_fields.keys() <= output.keys()
    assert output["name"] == f"{output['friend']}.{output['task']}"
    return output


# send, however it ends


def test_a_task_that_is_done(run: Run, where: Where) -> None:
    output = sent(run, where, "echo", "value", "--args", "[1]")
    assert (output["status"], output["state"], output["result"]) == ("done", "done", 1)
    assert (output["source"], output["queue"], output["last_known"]) == ("backend", "echo", None)
    assert "error" not in output
    (row,) = checked(objects.ListedRun, run("runs", f"run:{output['run']}", "--json", **where))
    assert (row["run"], row["name"], row["status"]) == (output["run"], "echo.value", "done")


def test_a_task_that_failed(run: Run, where: Where) -> None:
    output = sent(run, where, "flaky", "fail", "--kwargs", '{"message": "on purpose"}')
    assert (output["status"], output["state"]) == ("failed", "failed")
    assert output["cause"] == "ValueError: on purpose"
    assert "Traceback" in output["traceback"]
    assert None not in (output["task_id"], output["run"])
    assert "result" not in output


def test_a_task_that_timed_out_in_a_queue_that_nobody_consumes(run: Run, where: Where) -> None:
    done = run("send", "lost", "value", "--timeout", "3", "--json", **where)
    (output,) = checked(objects.SendEnd, done)
    finding = "No worker consumes queue nobody (0 of 2 workers)."
    assert (done.returncode, output["status"], output["state"]) == (3, "timed out", "timed out")
    assert output["last_known"]["state"] == "queued"
    assert output["last_known"]["source"] == "queue"
    assert 0 < output["last_known"]["age"] < 30
    assert (output["worker"], output["queue"], output["warnings"]) == (None, "nobody", [finding])
    task_id, known = output["task_id"], output["last_known"]
    assert output["error"] == f"echo.value on friend lost did not finish in 3 s (task id {task_id})"
    state, run_id = output["hint"].splitlines()
    cause, age = known["cause"].rstrip("."), f"{known['age']:.1f} s old"
    assert state == f"Last known state: queued ({cause}), {age}, source: queue."
    assert run_id == f"Run id: {output['run']}."
    replays = f"kimera-tui replay {output['run'][:8]} looks for it before it sends it again."
    assert done.stderr.endswith(f"{output['error']}\n  {state}\n  {run_id}\n  {replays}\n")
    assert "still be running" not in done.stderr
    assert done.stderr.count(f"warning: {finding}") == 1


def test_a_task_that_timed_out_while_it_ran(run: Run, where: Where) -> None:
    call = ("send", "flaky", "sleep", "--kwargs", '{"seconds": 10}', "--timeout", "8", "--json")
    done = run(*call, **where)
    (output,) = checked(objects.SendEnd, done)
    assert output["worker"] == "demo@kimera"
    assert output["last_known"]["state"] == "running"
    assert output["cause"] == "after 8 s; last known: running (on demo@kimera)"
    assert done.stderr.count("started: ") == 1


def test_what_is_not_sent(run: Run, where: Where) -> None:
    for words, variables in (
        (("nobody", "value"), {}),
        (("echo", "value", "--args", "{}"), {}),
        (("echo", "value"), {"BROKER_URL": "redis://127.0.0.1:1/0"}),
        (("echo", "value"), {"KIMERA_HOME": "/dev/null"}),
    ):
        output = sent(run, where, *words, **variables)
        assert output["status"] == "not sent", output
        assert output["error"]
        if output["run"] is None:
            assert {output[name] for name in objects.TaskFacts.model_fields} == {None}


@pytest.mark.parametrize(
    ("events", "error", "status", "state"),
    [
        ([], UsageError("no"), "not sent", None),
        ([started("r")], BrokerUnavailable("away"), "not sent", "waiting"),
        ([started("r"), REFUSED], JournalError("full"), "not sent", "failed"),
        ([started("r"), UNSURE], PublishUncertain("lost"), "uncertain", "uncertain"),
        ([started("r"), sending("r-0"), REVOKED], TaskRevoked("t", "r-0"), "revoked", "revoked"),
        (
            [started("r"), sending("r-0"), FAILED],
            TaskFailed("t", "r-0", "E", "no"),
            "failed",
            "failed",
        ),
    ],
)
def test_what_was_not_sent_or_maybe_not_has_not_failed(
    capsys: pytest.CaptureFixture[str],
    events: list[object],
    error: KimeraError,
    status: str,
    state: str | None,
) -> None:
    options = _Options("lab", "step", "", "", (), "", True, False, False)
    watcher = _Watcher()
    watcher.index.apply_all(events)
    assert _failed(error, options, watcher) == error.exit_code
    output = json.loads(capsys.readouterr().out)
    objects.SendEnd.model_validate(output)
    assert (output["status"], output["state"]) == (status, state)
    assert output["run"] == ("r" if events else None)


def test_a_task_that_another_console_cancels(run: Run, where: Where) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kimera_tui", "send", "lost", "value", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO,
        env=environment(**where),
    )  # fmt: skip
    assert process.stderr is not None
    while "dispatched" not in (line := process.stderr.readline()):
        assert line
    while not (listed := run("runs", "task:lost.value state:queued", "--json", **where)).stdout:
        assert listed.returncode == 0  # the journal is a quarter of a second behind
    (row,) = checked(objects.ListedRun, listed)
    assert run("cancel", row["run"], **where).stdout == ""
    out, _ = process.communicate(timeout=60)
    output = json.loads(out)
    objects.SendEnd.model_validate(output)
    assert (process.returncode, output["status"], output["run"]) == (4, "revoked", row["run"])
    assert output["queue"] == "nobody"


def test_a_command_that_is_interrupted_tells_what_it_leaves(where: Where) -> None:
    words = ["send", "flaky", "sleep", "--kwargs", '{"seconds": 5}', "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "kimera_tui", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO,
        env=environment(**where),
    )  # fmt: skip
    assert process.stderr is not None
    seen = ""
    while "started" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    os.kill(process.pid, signal.SIGINT)
    out, rest = process.communicate(timeout=30)
    output = json.loads(out)
    objects.SendEnd.model_validate(output)
    assert (process.returncode, output["status"]) == (130, "interrupted")
    assert output["task_id"]
    assert "Traceback" not in seen + rest


# Runs


def test_a_run_from_its_first_event_to_its_last_object(run: Run, where: Where) -> None:
    done = run("run", "two", "--json", **where)
    *events, end = [json.loads(line) for line in done.stdout.splitlines()]
    for each in events:
        objects.RunEvent.model_validate(each)
        assert objects.TaskFacts.model_fields.keys() <= each.keys()
    objects.RunEnd.model_validate(end)
    assert (end["event"], end["name"], end["status"], end["result"]) == (
        "end", "two steps", "done", 3,
    )  # fmt: skip
    succeeded = next(each for each in events if each["event"] == "succeeded")
    assert (succeeded["step"], succeeded["state"]) == ("add", "done")
    assert succeeded["task_id"] == end["steps"][0]["task_id"]
    (watched,) = checked(objects.RunReport, run("watch", end["run"], "--json", **where))
    assert [step["id"] for step in watched["steps"]] == ["add", "show"]
    (again,) = checked(objects.RunReport, run("replay", end["run"], "--json", **where))
    assert again["steps"][1]["result"] == 3
    checked(compare.Comparison, run("compare", end["run"], again["run"], "--json", **where))


def test_what_would_be_sent(run: Run, where: Where) -> None:
    calls = checked(objects.DryCall, run("run", "two", "--dry-run", "--json", **where))
    assert [each["step"] for each in calls] == ["add", "show"]
    past = sent(run, where, "echo", "value")["run"]
    done = run("replay", past, "--dry-run", "--json", **where)
    assert checked(objects.ReplayedCall, done) == [{"step": "0", "task": "echo.value"}]


def test_a_detached_run_and_one_that_is_not_over_when_the_watch_is(run: Run, where: Where) -> None:
    path = Path(where["KIMERA_WORKFLOWS"]) / "never.kimera.yaml"
    path.write_text(WORKFLOW.replace("calculator.add", "lost.value"))
    (output,) = checked(objects.Detached, run("run", str(path), "--detach", "--json", **where))
    done = run("watch", output["run"], "--timeout", "0.1s", "--json", **where)
    assert done.returncode == 3
    (watched,) = checked(objects.RunReport, done)
    assert watched["run"] == output["run"]
    assert watched["state"] not in ("done", "failed")


def test_a_run_that_is_cancelled_by_another_console(run: Run, where: Where) -> None:
    path = Path(where["KIMERA_WORKFLOWS"]) / "stays.kimera.yaml"
    path.write_text(WORKFLOW.replace("calculator.add", "lost.value"))
    (detached,) = checked(objects.Detached, run("run", str(path), "--detach", "--json", **where))
    done = run("cancel", detached["run"][:8], "--json", **where)
    (cancelled,) = checked(objects.CancelledRun, done)
    assert (done.returncode, cancelled["run"], cancelled["ended"]) == (0, detached["run"], True)
    assert cancelled["message"] == (
        "Cancelled: 1 was taken out of its queue and never ran, 1 never sent."
    )
    assert (len(cancelled["taken_out"]), cancelled["revoked"], cancelled["left"]) == (1, [], [])
    # It serves the queue of the second step, which is revoked as well.
    assert (cancelled["workers"], cancelled["unacknowledged"]) == (["demo@kimera"], [])


# What is listed


def test_friends_are_listed_with_their_parameters(run: Run, where: Where) -> None:
    echo, *_ = checked(objects.ListedFriend, run("friends", "--json", **where))
    payload = echo["tasks"]["value"]["params"]["payload"]
    assert (payload["type"], payload["default"], payload["values"]) == ("json", 1, [])


def test_workflows_and_their_problems(run: Run, where: Where, tmp_path: Path) -> None:
    checked(objects.ListedWorkflow, run("workflow", "list", "--json", **where))
    bad = tmp_path / "bad.kimera.yaml"
    bad.write_text(WORKFLOW.replace("pass", "pss"))
    (problem,) = checked(objects.Problem, run("workflow", "check", str(bad), "--json", **where))
    assert problem["step"] == "show"
    (lost,) = checked(objects.Problem, run("workflow", "check", "nothing", "--json", **where))
    assert lost.keys() == {"file", "problem"}


def test_an_exported_run_has_its_model(tmp_path: Path) -> None:
    path = write_run(tmp_path, "r", [started("r")])
    objects.ExportedRun.model_validate_json(path.read_text())


# The page


def test_the_page_is_made_from_the_models() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.cli.json_page"


def test_the_page_has_every_model() -> None:
    models = {each for _, _, models in SECTIONS for each in models}
    abstract = {Printed, objects.TaskFacts, objects.WithChildren}
    every = {
        each
        for module in (objects, compare)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Printed)
    }
    assert models == every - abstract


def test_every_state_is_explained_on_the_page_of_runs() -> None:
    text = (REPO / "docs" / "runs.md").read_text()
    assert [status.value for status in Status if f"| *{status}* |" not in text] == []
