"""``kimera-tui resume``: how each run ended is told, and no secret with it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.cli.json_output.objects import RunReport
from kimera_tui.cli.resume import _resume
from kimera_tui.console.runs import Runs
from kimera_tui.execution import active_runs
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Recovery
from tests.cli.conftest import Run
from tests.cli.test_run import begun, write
from tests.console.test_guard import left, task

SLOW = "  - {id: a, task: flaky.sleep, kwargs: {seconds: 2}}\n"


@pytest.fixture
def where(tmp_path: Path, broker_url: str) -> dict[str, str]:
    """A journal and workflows of the test's own."""
    return {"KIMERA_HOME": str(tmp_path / "home"), "KIMERA_WORKFLOWS": str(tmp_path)}


def interrupted(
    where: dict[str, str], runtime_dir: Path, folder: Path, steps: str, header: str = ""
) -> str:
    """A run that was left in its first step; returns its id."""
    process, run_id = begun(where, runtime_dir, write(folder, SLOW + steps, header))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=40)
    return run_id


def test_a_failed_run_repeats_no_secret(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    where["RESUME_TEST_KEY"] = "canary-b0a7"
    fails = '  - {id: b, task: flaky.fail, kwargs: {message: "${{ inputs.key }}"}}\n'
    header = 'inputs: {key: {type: secret, from: "env:RESUME_TEST_KEY"}}'
    run_id = interrupted(where, runtime_dir, tmp_path, fails, header)
    done = run("resume", run_id, **where)
    assert done.returncode == 1
    assert "canary" not in done.stdout + done.stderr
    assert f"{run_id[:8]}  mine  failed: flaky.fail failed: ValueError: ••••" in done.stdout


def test_a_resumed_run_is_one_object(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    step = "  - {id: b, task: calculator.add, pass: none, kwargs: {a: 1, b: 2}}\n"
    run_id = interrupted(where, runtime_dir, tmp_path, step)
    done = run("resume", run_id, "--json", **where)
    report = RunReport.model_validate_json(done.stdout)
    assert (done.returncode, report.run, report.status) == (0, run_id, "done")
    assert [step.result for step in report.steps][1:] == [3]


def test_a_run_that_takes_too_long_is_reported_and_leaves_with_3(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    hangs = "  - {id: b, task: flaky.sleep, pass: none, kwargs: {seconds: 9}, timeout: 1s}\n"
    run_id = interrupted(where, runtime_dir, tmp_path, hangs)
    done = run("resume", run_id, **where)
    assert done.returncode == 3
    assert (
        f"{run_id[:8]}  mine  timed out: flaky.sleep on friend flaky did not finish" in done.stdout
    )


async def test_a_run_that_ended_long_before_the_others_is_reported_as_it_ended(
    broker_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(active_runs, "KEPT_SECONDS", 0.0)
    recover = Runs.recover

    async def long_recovery(runs: Runs) -> Recovery:
        found = await recover(runs)
        runner: Any = runs._connection.started_runner
        while "r" in runner._active._tasks:  # noqa: ASYNC110 - as long as its result is kept
            await asyncio.sleep(0.01)
        return found

    monkeypatch.setattr(Runs, "recover", long_recovery)
    async with left(tmp_path, monkeypatch, Node("chain", "", (task("0", "open"),)), broker_url):
        pass
    monkeypatch.setenv("BROKER_URL", broker_url)
    monkeypatch.setenv("RESULT_BACKEND", broker_url)
    monkeypatch.setenv("KIMERA_FRIENDS", str(tmp_path / "friends.yaml"))
    async with asyncio.timeout(30):
        assert await _resume("") == 0
    assert capsys.readouterr().out == "r  run r  done\n"


def test_the_header_of_another_version_is_reported_in_a_sentence(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    run_id = interrupted(where, runtime_dir, tmp_path, "", "description: of another version")
    db = sqlite3.connect(tmp_path / "home" / "state" / "runs.db")
    (data,) = db.execute("SELECT data FROM event WHERE kind = 'RunStarted'").fetchone()
    changed = data.replace('"description"', '"purpose"')
    assert changed != data
    db.execute("UPDATE event SET data = ? WHERE kind = 'RunStarted'", (changed,))
    db.commit()
    db.close()
    for words in (["resume", run_id], ["replay", run_id]):
        done = run(*words, **where)
        assert done.returncode == 2, done.stderr
        assert "another version of Kimera wrote it" in done.stderr
        assert "Traceback" not in done.stderr
