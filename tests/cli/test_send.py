"""``kimera-tui send``: the result on stdout, the rest on stderr, and honest exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, environment
from tests.conftest import REPO
from tests.process.redis.servers import Server

pytestmark = pytest.mark.usefixtures("broker_url")


def test_the_result_is_all_there_is_on_stdout(run: Run) -> None:
    done = run("send", "calculator", "add", "--args", "[1, 2]", "--timeout", "20")
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert "dispatched" in done.stderr


def test_json_is_one_object_on_one_line(run: Run) -> None:
    done = run("send", "echo", "value", "--kwargs", '{"payload": {"a": [1]}}', "--json")
    assert done.returncode == 0
    output = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (output["friend"], output["task"], output["status"]) == ("echo", "value", "done")
    assert output["result"] == {"a": [1]}


def test_a_failed_task_leaves_with_1_and_shows_the_remote_traceback(run: Run) -> None:
    done = run("send", "flaky", "fail", "--kwargs", '{"message": "on purpose"}')
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert done.stderr.strip().endswith("flaky.fail failed: ValueError: on purpose")


def test_a_failed_task_is_data_with_json(run: Run) -> None:
    done = run("send", "flaky", "fail", "--json")
    output = json.loads(done.stdout)
    assert done.returncode == 1
    assert (output["status"], output["error_type"]) == ("failed", "ValueError")
    assert "Traceback" in output["traceback"]


def test_a_failed_task_repeats_no_secret(run: Run, tmp_path: Path) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text(
        "friends:\n  flaky: {route: flaky, queue: flaky, tasks:"
        " {fail: {params: {message: {type: string, secret: true}}}}}\n"
    )
    kwargs = '{"message": "canary-77e1"}'
    for words in ([], ["--json"]):
        done = run("send", "flaky", "fail", "--kwargs", kwargs, *words, KIMERA_FRIENDS=str(friends))
        assert done.returncode == 1
        assert "flaky.fail failed: ValueError: ••••" in done.stderr
        assert "Traceback" in (done.stdout if words else done.stderr)
        assert "canary" not in done.stdout + done.stderr


def test_a_secret_that_no_name_would_hide_is_refused_and_not_repeated(
    run: Run, tmp_path: Path
) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text(
        "friends:\n  flaky: {route: flaky, queue: flaky, tasks:"
        " {fail: {params: {message: {type: int, secret: true}}}}}\n"
    )
    for words, sentence in (
        (["--args", '["canary-77e1"]'], "message is a secret, which is allowed in kwargs only."),
        (["--kwargs", '{"message": "canary-77e1"}'], "message: •••• is not an integer."),
    ):
        done = run("send", "flaky", "fail", *words, KIMERA_FRIENDS=str(friends))
        assert done.returncode == 2
        assert sentence in done.stderr
        assert "canary" not in done.stdout + done.stderr


def test_a_time_out_leaves_with_3(run: Run) -> None:
    done = run("send", "flaky", "sleep", "--kwargs", '{"seconds": 2}', "--timeout", "0.5s")
    assert done.returncode == 3
    assert "did not finish in 0.5 s" in done.stderr


def test_a_task_that_the_worker_does_not_know_is_reported(run: Run) -> None:
    done = run("send", "flaky", "unheard_of")
    assert done.returncode == 1
    assert "The worker does not know task flaky.unheard_of" in done.stderr


def test_a_queue_that_nobody_consumes_is_reported_at_once(run: Run, tmp_path: Path) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text("friends:\n  lost: {route: echo, queue: nobody}\n")
    done = run("send", "lost", "value", "--timeout", "3", KIMERA_FRIENDS=str(friends))
    assert done.returncode == 3
    assert "warning: No worker consumes queue nobody (0 of 2 workers)." in done.stderr


def test_hostile_results_are_harmless_on_stdout(run: Run) -> None:
    done = run("send", "flaky", "hostile")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
    assert "␛]52;c;" in done.stdout or "\\u001b]52" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nobody", "x"], "No friend `nobody`."),
        (["flake", "x"], "No friend `flake`. Near: `flaky`."),
        (["echo", ""], "Task name is empty."),
        (["echo", "a b"], "Task name has a space."),
        (["echo", "value", "--args", "1,2"], "Arguments: not JSON: line 1 column 2"),
        (["echo", "value", "--args", "{}"], "Arguments must be a JSON list, like [1, 2]."),
        (["echo", "value", "--kwargs", "[1]"], "Named arguments must be a JSON object"),
        (["echo", "value", "--timeout", "0"], "Timeout: must be greater than 0."),
        (["echo", "value", "--timeout", "-1"], "Timeout: must be greater than 0."),
        (["echo", "value", "--timeout", "soon"], "Timeout: must be a duration"),
    ],
)
def test_a_wrong_call_leaves_with_2_and_one_sentence(
    run: Run, words: list[str], sentence: str
) -> None:
    done = run("send", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_malformed_friends_file_is_named_with_line_and_key(run: Run, tmp_path: Path) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text("friends:\n  a:\n    route: x\n    quue: q\n")
    for words in (["send", "a", "x"], ["friends"]):
        done = run(*words, KIMERA_FRIENDS=str(friends))
        assert done.returncode == 2
        assert f"{friends}, line" in done.stderr
        assert "friends.a.qu" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that accepts and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []
    stop = threading.Event()

    def accept() -> None:
        server.settimeout(0.2)
        while not stop.is_set():
            try:
                held.append(server.accept()[0])
            except TimeoutError:
                continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    stop.set()
    thread.join(2)
    for connection in [*held, server]:
        connection.close()


FRIENDS = str(REPO / "friends.yaml")


def check_broker_sentence(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 69, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_broker_that_is_not_there_leaves_with_69(run: Run) -> None:
    done = run("send", "echo", "value", BROKER_URL="redis://127.0.0.1:1/0", KIMERA_FRIENDS=FRIENDS)
    check_broker_sentence(done, "is not there (connection refused)")


def test_a_silent_broker_leaves_with_69_in_time(run: Run, silent_server: int) -> None:
    url = f"redis://127.0.0.1:{silent_server}/0"
    done = run("send", "echo", "value", BROKER_URL=url, KIMERA_FRIENDS=FRIENDS)
    check_broker_sentence(done, "did not answer")


def test_a_malformed_broker_url_leaves_with_2_and_without_its_password(run: Run) -> None:
    done = run("send", "echo", "value", BROKER_URL="redis://:s3cr#et@h/0", KIMERA_FRIENDS=FRIENDS)
    assert done.returncode == 2
    assert "a password with # must be written %23" in done.stderr
    assert "s3cr" not in done.stderr


def test_the_operators_own_broker_is_used_and_nothing_is_embedded(
    run: Run, broker_url: str, tmp_path: Path
) -> None:
    done = run(
        "send", "calculator", "add", "--args", "[20, 22]",
        BROKER_URL=broker_url, RESULT_BACKEND=broker_url, KIMERA_FRIENDS=FRIENDS,
        KIMERA_RUNTIME_DIR=str(tmp_path),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_with_130(runtime_dir: Path) -> None:
    words = ["send", "flaky", "sleep", "--kwargs", '{"seconds": 5}']
    process = subprocess.Popen(
        [sys.executable, "-m", "kimera_tui", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO,
        env=environment(KIMERA_RUNTIME_DIR=str(runtime_dir)),
    )  # fmt: skip
    assert process.stderr is not None
    seen = ""
    while "started" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    os.kill(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted; tasks already sent end with the private broker" in rest
    assert "Traceback" not in seen + rest


def test_friends_are_listed_for_people_and_for_programs(run: Run) -> None:
    people = run("friends")
    assert people.returncode == 0
    assert "calculator" in people.stdout
    programs = run("friends", "--json")
    output = [json.loads(line) for line in programs.stdout.splitlines()]
    assert {entry["friend"] for entry in output} >= {"calculator", "echo", "reports", "flaky"}
    assert "add" in output[0]["tasks"]


def test_without_a_terminal_the_console_says_what_to_use_instead(run: Run) -> None:
    done = run()
    assert done.returncode == 2
    assert "No terminal here" in done.stderr
    assert "kimera-tui send" in done.stderr


def test_dangerous_and_read_only_friends_are_guarded(run: Run, tmp_path: Path) -> None:
    friends = tmp_path / "friends.yaml"
    friends.write_text(
        "friends:\n"
        "  prod: {route: calculator, queue: calculator, danger: true}\n"
        "  glass: {route: calculator, queue: calculator, read_only: true}\n"
    )
    where = {"KIMERA_FRIENDS": str(friends)}
    refused = run("send", "prod", "add", "--args", "[1, 2]", **where)
    assert refused.returncode == 2
    assert "marked as dangerous: nothing was sent" in refused.stderr
    meant = run("send", "prod", "add", "--args", "[1, 2]", "--yes", **where)
    assert (meant.returncode, meant.stdout) == (0, "3\n")
    glass = run("send", "glass", "add", "--args", "[1, 2]", "--yes", **where)
    assert glass.returncode == 2
    assert "Friend `glass` is read-only" in glass.stderr


@pytest.fixture
def guarded_server(tmp_path: Path) -> Iterator[int]:
    """A server that wants the password `right`."""
    server = Server(tmp_path / "server", options=["--requirepass", "right"]).start()
    yield server.port
    server.stop()


@pytest.mark.parametrize(
    ("broker", "backend", "words"),
    [
        ("", ":right@", "The broker at {} wants a password."),
        (":canary@", ":right@", "The broker at {} refused the password."),
        (":right@", ":canary@", "The result backend at {} refused the password."),
        (":right@", "", "The result backend at {} wants a password."),
    ],
)
def test_a_password_that_is_wrong_or_missing_leaves_with_69_before_anything_is_sent(
    run: Run, guarded_server: int, broker: str, backend: str, words: str
) -> None:
    address = f"127.0.0.1:{guarded_server}"
    done = run(
        "send", "echo", "value", KIMERA_FRIENDS=FRIENDS,
        BROKER_URL=f"redis://{broker}{address}/0", RESULT_BACKEND=f"redis://{backend}{address}/1",
    )  # fmt: skip
    check_broker_sentence(done, words.format(address))
    assert "Nothing was sent." in done.stderr
    assert "canary" not in done.stderr
