"""A stranger's folder is data: it starts no program and reads no secret before that was allowed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import environment
from tests.cli.programs import Done, Programs
from tests.terminal.terminal import terminal

FLOW = """\
kimera: 1
name: flow
env: [STRANGE_VALUE]
inputs: {key: {type: secret, from: "file:netrc"}}
steps:
  - id: a
    task: echo.value
    args: ["${{ env.STRANGE_VALUE }}"]
    kwargs: {key: "${{ inputs.key }}"}
"""
FRIENDS = """\
friends:
  echo: {route: echo, queue: echo}
  far: {route: far, queue: far, broker: "redis://u:${STRANGE_VALUE}@localhost:1/0"}
"""
SENDS = "and sends it to echo.value."


class Folder:
    """A working directory that somebody else filled."""

    def __init__(self, path: Path, home: Path, programs: Programs) -> None:
        self.path = path
        self._home = home
        self._programs = programs
        (path / "netrc").write_text("canary-of-the-file\n")
        (path / "flow.kimera.yaml").write_text(FLOW)
        (path / "friends.yaml").write_text(FRIENDS)

    def environ(self, **variables: str) -> dict[str, str]:
        more = {
            "STRANGE_VALUE": "canary-of-the-variable",
            "KIMERA_HOME": str(self._home),
            "BROKER_URL": "redis://localhost:1/0",
        }
        return environment(**{**more, **variables})

    def run(self, *words: str, **variables: str) -> Done:
        done = self._programs.run(list(words), self.environ(**variables), self.path)
        assert "Traceback" not in done.stderr
        assert "canary" not in done.stdout + done.stderr
        return done


@pytest.fixture
def folder(tmp_path: Path, programs: Programs) -> Folder:
    (tmp_path / "theirs").mkdir()
    return Folder(tmp_path / "theirs", tmp_path / "home", programs)


def test_an_env_file_starts_no_program(folder: Folder) -> None:
    script = folder.path / "server"
    script.write_text(f"#!/bin/sh\ntouch {folder.path}/started\nexit 1\n")
    script.chmod(0o700)
    (folder.path / ".env").write_text(f"KIMERA_REDIS_SERVER={script}\n")
    words = ("send", "calculator", "add", "--args", "[1, 2]")
    (folder.path / "friends.yaml").unlink()  # the demo's friends count then
    with tempfile.TemporaryDirectory(
        prefix="kt-", dir="/tmp"
    ) as directory:  # a socket's path is short
        runtime = {"KIMERA_RUNTIME_DIR": directory, "BROKER_URL": ""}
        done = folder.run(*words, **runtime)
        assert (done.returncode, done.stdout) == (0, "3\n")
        assert ".env: KIMERA_REDIS_SERVER is ignored" in done.stderr
        assert not (folder.path / "started").exists()
        named = folder.run(*words, **runtime, KIMERA_REDIS_SERVER=str(script))
        assert (folder.path / "started").exists(), named.stderr


def test_an_env_file_gives_no_variable_away(folder: Folder) -> None:
    (folder.path / ".env").write_text("BROKER_URL=redis://u:${STRANGE_VALUE}@localhost:1/0\n")
    done = folder.run("send", "echo", "value", BROKER_URL="")
    assert done.returncode == 69
    seen = (
        "import kimera_tui.config.env_file as e, os;"
        "e.load_settings(); assert '${STRANGE_VALUE}' in os.environ['BROKER_URL']"
    )
    subprocess.run(
        [sys.executable, "-c", seen],
        cwd=folder.path,
        env=folder.environ(BROKER_URL=""),
        check=True,
        timeout=60,
    )


def test_a_workflow_reads_nothing_that_nobody_has_allowed(folder: Folder) -> None:
    netrc = folder.path / "netrc"
    for more in ([], ["--yes"], ["--detach"]):
        done = folder.run("run", "flow.kimera.yaml", *more)
        assert (done.returncode, done.stdout) == (2, "")
        first, *others = done.stderr.splitlines()
        assert first == f"kimera-tui: flow.kimera.yaml is not trusted: reads {netrc} {SENDS}"
        assert others == [
            "  Reads the environment variable STRANGE_VALUE and sends it to echo.value.",
            "  If that is what you want: kimera-tui trust flow.kimera.yaml",
        ]


def test_a_dry_run_and_a_check_name_what_is_read_and_show_nothing_of_it(folder: Folder) -> None:
    done = folder.run("run", "flow.kimera.yaml", "--dry-run", "--json")
    (call,) = map(json.loads, done.stdout.splitlines())
    assert call["args"] == ["${{ env.STRANGE_VALUE }}"]
    assert "Reads the environment variable STRANGE_VALUE and sends it to echo.value." in done.stderr
    assert f"Reads {folder.path / 'netrc'} and sends it to echo.value." in done.stderr

    done = folder.run("workflow", "check", "flow.kimera.yaml")
    assert done.returncode == 0
    assert "STRANGE_VALUE and sends it to echo.value." in done.stderr
    assert "needs your permission: kimera-tui trust flow.kimera.yaml" in done.stderr
    done = folder.run("workflow", "check", "flow.kimera.yaml", "--json")
    assert list(map(json.loads, done.stdout.splitlines())) == [
        {
            "file": "flow.kimera.yaml",
            "reads": kind,
            "name": name,
            "to": "echo.value",
            "allowed": False,
        }
        for kind, name in (("file", str(folder.path / "netrc")), ("variable", "STRANGE_VALUE"))
    ]


def test_what_was_allowed_once_needs_no_terminal(folder: Folder) -> None:
    done = folder.run("trust", "flow.kimera.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No terminal to ask at: nothing was allowed." in done.stderr
    assert folder.run("trust", "flow.kimera.yaml", "--yes").returncode == 0
    listed = folder.run("trust", "--list")
    assert len(listed.stdout.splitlines()) == 2
    assert folder.run("run", "flow.kimera.yaml").returncode == 69  # nobody is at that broker

    text = (folder.path / "flow.kimera.yaml").read_text()
    (folder.path / "flow.kimera.yaml").write_text(text.replace("echo.value", "echo.other"))
    assert "echo.other" in folder.run("run", "flow.kimera.yaml").stderr
    (folder.path / "flow.kimera.yaml").write_text(text)
    (folder.path / "friends.yaml").write_text(
        FRIENDS.replace("queue: echo", 'queue: echo, broker: "redis://elsewhere/0"')
    )
    assert "elsewhere" in folder.run("run", "flow.kimera.yaml").stderr
    (folder.path / "friends.yaml").write_text(FRIENDS)

    assert folder.run("trust", "flow.kimera.yaml", "--forget").returncode == 0
    assert folder.run("run", "flow.kimera.yaml").returncode == 2


def test_a_broker_from_an_env_file_is_where_it_goes(folder: Folder) -> None:
    (folder.path / ".env").write_text("BROKER_URL=redis://localhost:1/0\n")
    done = folder.run("run", "flow.kimera.yaml", BROKER_URL="")
    assert done.returncode == 2
    assert "sends it to echo.value on redis://localhost:1/0" in done.stderr


def test_trust_asks_where_there_is_a_terminal(folder: Folder) -> None:
    words = ["-m", "kimera_tui", "trust", "flow.kimera.yaml"]
    for key, code in (("n", 2), ("y", 0)):
        with terminal(words, folder.environ(), cwd=folder.path) as it:
            it.wait_for("Allow flow.kimera.yaml to do that?")
            assert "STRANGE_VALUE and sends it to echo.value." in it.text
            it.type(f"{key}\r")
            assert it.wait_for_end() == code
    assert folder.run("run", "flow.kimera.yaml").returncode == 69


def test_friends_get_no_variable_that_nobody_has_allowed(folder: Folder, broker_url: str) -> None:
    here = {"BROKER_URL": broker_url, "RESULT_BACKEND": broker_url}
    done = folder.run("send", "far", "x", **here)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith(
        "kimera-tui: friends.yaml is not trusted: reads the environment variable STRANGE_VALUE"
        " and sends it to redis://u:••••@localhost:1/0, the broker of friend `far`."
    )
    assert folder.run("send", "echo", "value", "--args", "[1]", **here).stdout == "1\n"
    assert folder.run("trust", "friends.yaml", "--yes").returncode == 0
    assert folder.run("send", "far", "x", **here).returncode == 69  # nobody is at that one


def test_what_the_environment_names_is_trusted_and_what_an_env_file_names_is_not(
    folder: Folder, broker_url: str
) -> None:
    on = {"BROKER_URL": broker_url, "RESULT_BACKEND": broker_url}
    here = {"KIMERA_FRIENDS": "friends.yaml", "KIMERA_WORKFLOWS": "."}
    assert folder.run("send", "far", "x", **here, **on).returncode == 69
    assert folder.run("run", "flow", **here).returncode == 69
    lines = [f"{name}={value}\n" for name, value in here.items()]
    (folder.path / ".env").write_text("".join(lines))
    assert folder.run("send", "far", "x", **on).returncode == 2
    assert folder.run("run", "flow").returncode == 2
