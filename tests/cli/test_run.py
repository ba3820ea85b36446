"""``kimera-tui run`` and ``replay``: workflows to their end without a screen, as cron does it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, environment
from tests.conftest import REPO
from tests.terminal.terminal import terminal

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture
def where(tmp_path: Path) -> dict[str, str]:
    """A journal and workflows of the test's own."""
    return {"KIMERA_HOME": str(tmp_path / "home"), "KIMERA_WORKFLOWS": str(tmp_path)}


def write(folder: Path, steps: str, header: str = "") -> str:
    """Write the test's workflow; returns its name."""
    text = f"kimera: 1\nname: mine\n{header}\nsteps:\n{steps}"
    (folder / "mine.kimera.yaml").write_text(text)
    return "mine"


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What was printed, one object a line."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(run: Run, where: dict[str, str]) -> list[dict[str, Any]]:
    return lines(run("runs", "--json", **where))


def clean(done: subprocess.CompletedProcess[str]) -> None:
    """Into pipes go no escapes, and no tracebacks of ours."""
    for text in (done.stdout, done.stderr):
        assert "\x1b" not in text
        assert "\r" not in text
        assert 'File "/work' not in text or "kimera_tui/embedded" in text


# The examples


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (["careful-import"], "42\n"),
        (["daily-report", "-i", "day=2026-01-31", "-i", "count=5"], "2026-01-31: 5 rows, "),
        (["fan-out"], "121 is a lot\n"),
        (["fan-out", "-i", "factor=1"], "null\n"),
    ],
)
def test_each_example_runs_and_its_result_is_all_there_is_on_stdout(
    run: Run, tmp_path: Path, words: list[str], result: str
) -> None:
    done = run("run", *words, KIMERA_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(result)
    assert done.stdout.count("\n") == 1
    assert "succeeded: " in done.stderr
    clean(done)


def test_an_example_that_fails_leaves_with_1_and_says_how_to_go_on(
    run: Run, tmp_path: Path
) -> None:
    home = {"KIMERA_HOME": str(tmp_path)}
    done = run("run", "careful-import", "-i", "strict=true", **home)
    assert (done.returncode, done.stdout) == (1, "")
    assert "flaky.fail failed: ValueError: strict means strict" in done.stderr
    assert "call_for_help" in done.stderr
    assert "tidy_up" in done.stderr
    [row] = listed(run, home)
    assert row["status"] == "failed"
    assert f"--from-failed {row['run'][:8]} continues from there" in done.stderr
    clean(done)


def test_each_event_is_an_object_and_the_last_is_the_end(run: Run, tmp_path: Path) -> None:
    done = run("run", "fan-out", "--json", KIMERA_HOME=str(tmp_path))
    output = lines(done)
    assert done.returncode == 0
    *events, end = output
    assert all({"event", "at", "text"} <= set(each) for each in events)
    assert {each["step"] for each in events if each["event"] == "succeeded"} == {
        "north_read", "north_scale", "east_read", "east_scale", "south_read", "south_scale",
        "west", "sum", "large",
    }  # fmt: skip
    assert end["event"] == "end"
    assert (end["status"], end["result"]) == ("done", "121 is a lot")
    assert {each["run"] for each in events if "run" in each} == {end["run"]}
    clean(done)


# What it is given


INPUTS = """\
inputs:
  day: {type: date, required: true}
  count: {type: int, default: 3, max: 5}
  rest: {type: json}
  key: {type: secret, from: "env:RUN_TEST_KEY"}
"""
ECHO = (
    "  - id: a\n    task: echo.value\n    kwargs:\n"
    '      payload: ["${{ inputs.day }}", "${{ inputs.count }}", "${{ inputs.rest }}"]\n'
)


def test_inputs_come_from_the_command_line_over_those_of_a_file(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    name = write(tmp_path, ECHO, INPUTS.replace("  key", "  # key"))
    (tmp_path / "in.yaml").write_text("day: 2026-01-30\ncount: 4\n")
    (tmp_path / "in.json").write_text('{"day": "2026-01-29", "rest": {"a": [1]}}')
    for words, result in (
        (["-i", "day=2026-01-31"], ["2026-01-31", 3, None]),
        (["--inputs", str(tmp_path / "in.yaml"), "-i", "rest=[1, null]"],
         ["2026-01-30", 4, [1, None]]),
        (["--inputs", str(tmp_path / "in.json"), "-i", "count=5"], ["2026-01-29", 5, {"a": [1]}]),
    ):  # fmt: skip
        done = run("run", name, *words, **where)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == result


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        ([], ["day is required."]),
        (["-i", "day=soon"], ["day: must be a date such as 2026-01-31."]),
        (["-i", "day=2026-01-31", "-i", "count=6"], ["count: must be at most 5."]),
        (
            ["-i", "day=2026-01-31", "-i", "dya=1"],
            ["dya: the workflow has no such input. Near"],
        ),
        (["-i", "day"], ["-i day: write it as NAME=VALUE."]),
        (
            ["-i", "day", "-i", "key=canary", "-i", "day=soon"],
            ["-i day: write it", "never put a secret", "day: must be a date", "env:NAME"],
        ),
        (["-i", "key=canary"], ["never put a secret on a command line", "env:NAME"]),
        (["-i", "day=2026-01-31"], ["key: the environment variable RUN_TEST_KEY is not set."]),
        (["--inputs", "nowhere.json"], ["nowhere.json: cannot be read (No such file"]),
        (["--inputs", "{tmp}/list.json"], ["must be a mapping of inputs to values"]),
        (["--inputs", "{tmp}/bad.json"], ["bad.json: not JSON: line 1"]),
        (["--inputs", "{tmp}/deep.json"], ["deep.json: nested deeper than 40 levels."]),
        (["--inputs", "{tmp}/bad.yaml"], ["bad.yaml, line 1: alias *x is not allowed."]),
        (["--inputs", "{tmp}/key.yaml"], ["key: a secret is not given with the other inputs."]),
    ],
)
def test_a_wrong_input_leaves_with_2_before_anything_is_sent(
    run: Run, where: dict[str, str], tmp_path: Path, words: list[str], sentences: list[str]
) -> None:
    name = write(tmp_path, ECHO, INPUTS)
    for file, text in {
        "list.json": "[1]", "bad.json": "{", "deep.json": "[" * 100_000, "bad.yaml": "a: *x",
        "key.yaml": "day: 2026-01-31\nkey: canary",
    }.items():  # fmt: skip
        (tmp_path / file).write_text(text)
    done = run("run", name, *(word.replace("{tmp}", str(tmp_path)) for word in words), **where)
    assert (done.returncode, done.stdout) == (2, "")
    for sentence in sentences:
        assert sentence in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr
    assert listed(run, where) == []


def test_a_secret_that_is_asked_for_needs_a_terminal(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: echo.value}\n", "inputs: {key: {type: secret}}")
    done = run("run", name, **where)
    assert done.returncode == 2
    assert "but there is no terminal" in done.stderr


def test_a_workflow_with_mistakes_leaves_with_2_and_tells_all(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: ech.value, x: 1}\n  - {id: a, task: echo.value}\n")
    done = run("run", name, **where)
    assert (done.returncode, done.stdout) == (2, "")
    assert "mine.kimera.yaml, line 5: steps.0.x: unknown key 'x'" in done.stderr
    assert "mine.kimera.yaml, line 6: steps.1.id: another step has the id `a`." in done.stderr
    assert run("run", "nothing", **where).returncode == 2


# Without sending


def test_a_dry_run_shows_each_call_with_its_secrets_hidden_and_sends_nothing(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    token = '      token: "${{ inputs.key }}"\n'
    declared = "  - {id: b, task: reports.render, kwargs: {token: canary}}\n"
    steps = ECHO + token + declared
    name = write(tmp_path, steps, INPUTS)
    done = run("run", name, "-i", "day=2026-01-31", "--dry-run", "--json", **where,
               RUN_TEST_KEY="canary")  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = lines(done)
    assert first["kwargs"] == {"payload": ["2026-01-31", 3, None], "token": "••••"}
    assert second["kwargs"] == {"token": "••••"}
    assert done.stderr.splitlines() == [
        "Reads the environment variable RUN_TEST_KEY and sends it to echo.value.",
        "Nothing was sent.",
    ]
    assert "canary" not in done.stdout
    assert listed(run, where) == []
    people = run("run", name, "-i", "day=2026-01-31", "--dry-run", **where)
    assert '"payload"' in people.stdout
    assert run("run", name, "--dry-run", **where).returncode == 2


# How it leaves


def test_a_run_that_takes_too_long_leaves_with_3(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    slow = "  - {id: a, task: flaky.sleep, kwargs: {seconds: 20}, timeout: 1s}\n"
    done = run("run", write(tmp_path, slow), "--json", **where)
    assert done.returncode == 3
    end = lines(done)[-1]
    assert (end["status"], end["steps"][0]["state"]) == ("timed out", "timed out")
    assert "did not finish in 1 s (task id" in done.stderr
    assert "\n  Last known state: " in done.stderr
    whole = slow.replace(", timeout: 1s", "")
    done = run("run", write(tmp_path, whole, "timeout: 1s"), **where)
    assert (done.returncode, done.stdout) == (3, "")
    clean(done)


def begun(where: dict[str, str], runtime_dir: Path, name: str) -> tuple[Any, str]:
    """A run that has started its first step, and its id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kimera_tui", "run", name, "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO,
        stdin=subprocess.DEVNULL, env=environment(KIMERA_RUNTIME_DIR=str(runtime_dir), **where),
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        output = json.loads(line)
        if output["event"] == "started":
            return process, output["run"]
    raise AssertionError(process.communicate())


def test_a_run_that_is_cancelled_leaves_with_4(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: flaky.sleep, kwargs: {seconds: 15}}\n")
    process, run_id = begun(where, runtime_dir, name)
    assert run("cancel", run_id, **where).returncode == 0
    out, err = process.communicate(timeout=40)
    assert process.returncode == 4, err
    assert json.loads(out.splitlines()[-1])["status"] == "revoked"


def test_an_interrupt_leaves_with_130_and_the_run_can_be_resumed(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    steps = "  - {id: a, task: flaky.sleep, kwargs: {seconds: 2}}\n"
    steps += "  - {id: b, task: calculator.add}\n"
    process, run_id = begun(where, runtime_dir, write(tmp_path, steps))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "interrupted; tasks already sent end with the private broker" in err
    assert "Traceback" not in err
    resumed = run("resume", run_id[:8], **where)
    assert resumed.returncode == 0, resumed.stderr
    assert listed(run, where)[0]["status"] == "done"


def test_an_interrupt_at_a_prompt_leaves_with_130(
    where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: echo.value}\n", "inputs: {key: {type: secret}}")
    env = {"KIMERA_RUNTIME_DIR": str(runtime_dir), **where}
    with terminal(["-m", "kimera_tui", "run", name], env) as it:
        it.wait_for("key:")
        it.process.send_signal(signal.SIGINT)
        assert it.wait_for_end() == 130
        assert "kimera-tui: interrupted." in it.text
        assert "Abort" not in it.text


def test_an_interrupt_on_a_broker_of_ones_own_says_that_what_was_sent_goes_on(
    where: dict[str, str], tmp_path: Path, runtime_dir: Path, broker_url: str
) -> None:
    where |= {"BROKER_URL": broker_url, "RESULT_BACKEND": broker_url}
    where["KIMERA_FRIENDS"] = str(REPO / "friends.yaml")
    name = write(tmp_path, "  - {id: a, task: flaky.sleep, kwargs: {seconds: 2}}\n")
    process, _ = begun(where, runtime_dir, name)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 130
    assert "interrupted; tasks already sent continue." in err


def test_a_run_that_may_not_begin_is_not_to_be_gone_on_with(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path
) -> None:
    alone = "concurrency: {key: alone}"
    steps = "  - {id: a, task: flaky.sleep, kwargs: {seconds: 20}}\n"
    name = write(tmp_path, steps, alone)
    process, run_id = begun(where, runtime_dir, name)
    refused = run("run", name, **where)
    assert refused.returncode == 1
    assert "continues from there" not in refused.stderr
    assert run("cancel", run_id, **where).returncode == 0
    process.communicate(timeout=40)


def test_a_wrong_word_in_the_middle_of_a_run_leaves_with_1(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    steps = (
        "  - {id: a, task: echo.a_dict}\n"
        "  - {id: b, task: echo.value, when: {ref: steps.a.result.nothing, gt: 1}}\n"
    )
    done = run("run", write(tmp_path, steps), **where)
    assert done.returncode == 1, done.stderr
    assert "continues from there" in done.stderr


def test_a_broker_that_is_not_there_leaves_with_69(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: echo.value}\n")
    done = run("run", name, **where, BROKER_URL="redis://127.0.0.1:1/0",
               KIMERA_FRIENDS=str(REPO / "friends.yaml"))  # fmt: skip
    assert (done.returncode, done.stdout) == (69, "")
    assert "is not there" in done.stderr
    assert "Traceback" not in done.stderr


def test_dangerous_and_read_only_friends_are_guarded(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text(
        "friends:\n  prod: {route: calculator, queue: calculator, danger: true}\n"
        "  glass: {route: calculator, queue: calculator, read_only: true}\n"
    )
    where["KIMERA_FRIENDS"] = str(friends)
    name = write(tmp_path, "  - {id: a, task: prod.add, args: [1, 2]}\n")
    refused = run("run", name, **where)
    assert refused.returncode == 2
    assert "Marked as dangerous: `prod`. Nothing was sent." in refused.stderr
    meant = run("run", name, "--yes", **where)
    assert (meant.returncode, meant.stdout) == (0, "3\n")
    name = write(tmp_path, "  - {id: a, task: glass.add, args: [1, 2]}\n")
    glass = run("run", name, "--yes", **where)
    assert glass.returncode == 2
    assert "read-only" in glass.stderr


def test_a_replay_is_guarded_as_the_run_was(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    friends = tmp_path / "friends.yaml"
    where["KIMERA_FRIENDS"] = str(friends)
    calculator = "{route: calculator, queue: calculator}"
    friends.write_text(f"friends:\n  free: {calculator}\n  mender: {calculator}\n")
    mended = "  - {id: a, task: free.add, args: [1, 2], on_error: [{id: m, task: mender.add}]}\n"
    assert run("run", write(tmp_path, mended), **where).returncode == 0
    [first] = listed(run, where)
    danger = calculator.replace("}", ", danger: true}")
    friends.write_text(f"friends:\n  free: {calculator}\n  mender: {danger}\n")
    refused = run("replay", first["run"], **where)
    assert refused.returncode == 2
    assert "Marked as dangerous: `mender`. Nothing was sent." in refused.stderr
    assert "Pass --yes to send anyway." in refused.stderr
    assert run("replay", first["run"], "--dry-run", **where).returncode == 0
    assert run("replay", first["run"], "--yes", **where).returncode == 0
    friends.write_text(
        f"friends:\n  free: {calculator}\n  mender: {danger.replace('danger', 'read_only')}\n"
    )
    glass = run("replay", first["run"], "--yes", **where)
    assert glass.returncode == 2
    assert "Friend `mender` is read-only" in glass.stderr
    assert len(listed(run, where)) == 2


# Once more


STEPS = """\
  - {id: load, task: calculator.add, kwargs: {a: 40, b: 2}}
  - {id: show, task: flaky.fail, pass: none, kwargs: {message: not yet}}
"""


def test_todays_file_goes_on_from_a_failed_run_and_reuses_what_is_done(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    assert run("run", write(tmp_path, STEPS), **where).returncode == 1
    [failed] = listed(run, where)
    mended = STEPS.replace("flaky.fail", "echo.value").replace(
        "message: not yet", 'payload: "it is ${{ steps.load.result }}"'
    )
    name = write(tmp_path, mended)
    done = run("run", name, "--from-failed", failed["run"][:8], "--json", **where)
    assert done.returncode == 0, done.stderr
    output = lines(done)
    assert output[-1]["result"] == "it is 42"
    [reused] = [each for each in output if each["event"] == "reused"]
    assert (reused["step"], reused["text"]) == ("load", f"of run {failed['run'][:8]}: 42")
    assert {each["step"] for each in output if each["event"] == "sending"} == {"show"}
    newest = listed(run, where)[0]
    assert (newest["parent"], newest["status"]) == (failed["run"], "done")
    changed = write(tmp_path, mended.replace("a: 40", "a: 50"))
    done = run("run", changed, "--from-failed", failed["run"][:8], "--json", **where)
    assert lines(done)[-1]["result"] == "it is 52"
    assert "reused" not in {each["event"] for each in lines(done)}
    lost = run("run", name, "--from-failed", "nothing", **where)
    assert lost.returncode == 2
    assert "No run's id starts with `nothing`" in lost.stderr


def test_a_dry_run_from_a_failed_run_shows_only_what_would_run_again(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    steps = STEPS + (
        "  - {id: help, task: echo.value, pass: none, kwargs: {payload: '${{ inputs.day }}'}}\n"
    )
    name = write(tmp_path, steps, "inputs: {day: {type: date, required: true}}")
    assert run("run", name, "-i", "day=2026-01-31", **where).returncode == 1
    [failed] = listed(run, where)
    way = ("--from-failed", failed["run"][:8], "--dry-run", "--json")
    done = run("run", name, *way, **where)
    assert done.returncode == 0, done.stderr
    assert [each["step"] for each in lines(done)] == ["show", "help"]
    assert lines(done)[1]["kwargs"] == {"payload": "2026-01-31"}
    assert done.stderr == "will run 2, reuse 1\nNothing was sent.\n"
    write(tmp_path, steps.replace("a: 40", "a: 50"), "inputs: {day: {}}")
    assert [each["step"] for each in lines(run("run", name, *way, **where))] == [
        "load", "show", "help",
    ]  # fmt: skip
    assert len(listed(run, where)) == 1
    lost = run("run", name, "--from-failed", "nothing", "--dry-run", **where)
    assert (lost.returncode, lost.stdout) == (2, "")


REPLAYED = """\
  - {id: load, task: calculator.add, kwargs: {a: "${{ inputs.start }}", b: 2}}
  - {id: other, task: echo.value, pass: none, kwargs: {payload: the same}}
  - {id: show, task: echo.value, pass: none, kwargs: {payload: "${{ steps.load.result }}"}}
"""


def test_a_replay_takes_new_inputs_and_arguments_and_runs_what_they_change(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    header = "inputs: {start: {type: int, default: 1, max: 100}}"
    run("run", write(tmp_path, REPLAYED, header), **where)
    [first] = listed(run, where)
    past = first["run"][:8]

    def replayed(*words: str) -> tuple[str, dict[str, Any]]:
        done = run("replay", past, *words, "--json", **where)
        assert done.returncode == 0, done.stderr
        clean(done)
        results = {each["path"]: each["result"] for each in json.loads(done.stdout)["steps"]}
        return done.stderr.splitlines()[0], results

    assert replayed("-i", "start=10", "--from-failed") == (
        "will run 2, reuse 1", {"0": 12, "1": "the same", "2": 12},
    )  # fmt: skip
    assert replayed("--set", "load.a=20", "--from-failed")[1]["2"] == 22
    assert replayed("--set", "other.payload=[1, {}]")[1]["1"] == [1, {}]
    assert replayed("--set", "show.payload=a word", "--from", "show")[1]["2"] == "a word"
    assert replayed("--only", "load")[1] == {"0": 3}
    count = len(listed(run, where))
    dry = run("replay", past, "--from", "show", "--dry-run", **where)
    assert (dry.returncode, dry.stdout) == (0, "2  echo.value\n")
    assert dry.stderr == "will run 1, reuse 2\n"
    assert len(listed(run, where)) == count
    assert all(row["parent"] == first["run"] for row in listed(run, where)[:-1])


def test_a_replay_that_makes_no_sense_leaves_with_2(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    header = "inputs: {start: {type: int, default: 1, max: 100}}"
    run("run", write(tmp_path, REPLAYED, header), **where)
    [first] = listed(run, where)
    for words, sentence in (
        (["-i", "start=1000"], "start: must be at most 100."),
        (["-i", "strat=1"], "strat: the workflow has no such input. Near: `start`."),
        (["--set", "load=1"], "--set load=1: write it as STEP.NAME=VALUE."),
        (["--set", "laod.a=1"], "The run has no step `laod`; its steps: load, other, show."),
        (["--from", "x"], "The run has no step `x`"),
        (["--from", "load", "--only", "show"], "Choose one of --from-failed, --from and --only."),
    ):
        done = run("replay", first["run"], *words, **where)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    assert len(listed(run, where)) == 1


def test_cron_gets_plain_text_whatever_a_task_says(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    name = write(tmp_path, "  - {id: a, task: flaky.hostile}\n")
    done = run("run", name, **where, TERM="xterm-256color", FORCE_COLOR="1", CLICOLOR_FORCE="1")
    assert done.returncode == 0
    assert not [each for each in done.stdout + done.stderr if ord(each) < 32 and each != "\n"]
    assert os.environ.get("NO_COLOR") is None
