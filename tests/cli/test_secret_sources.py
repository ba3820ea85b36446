"""Values that a command takes from its environment, a file, standard input or a person."""

from __future__ import annotations

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.cli.secret_sources import Sources, call_secrets
from kimera_tui.config.friends import Param
from kimera_tui.errors import UsageError
from tests.cli.conftest import Run, environment
from tests.cli.programs import Programs
from tests.conftest import REPO
from tests.terminal.terminal import terminal

CANARY = "canary-77e1"
FRIENDS = """
friends:
  echo:
    route: echo
    queue: echo
    tasks:
      value:
        params:
          payload: {type: json, secret: true, required: true}
          other: {type: int}
"""


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe with a secret in it."""
    piped = io.TextIOWrapper(io.BytesIO(f"{CANARY}\n".encode()))
    monkeypatch.setattr("sys.stdin", piped)


@pytest.mark.usefixtures("stdin")
def test_each_secret_comes_from_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "from-env")
    (tmp_path / "key").write_text("from=file\n")
    words = ["a=env:THE_KEY", f"b=file:{tmp_path / 'key'}", "c=-"]
    assert Sources().secrets(words) == {"a": "from-env", "b": "from=file", "c": CANARY}


@pytest.mark.usefixtures("stdin")
def test_a_value_is_the_word_or_a_file_or_standard_input(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": 1}')
    sources = Sources()
    assert sources.text("--kwargs", '{"a": 1}') == '{"a": 1}'
    assert sources.text("--kwargs", f"@{tmp_path / 'x.json'}") == '{"a": 1}'
    assert sources.text("--kwargs", "-") == f"{CANARY}\n"
    with pytest.raises(UsageError, match="--args: --kwargs already reads standard input"):
        sources.text("--args", "-")


@pytest.mark.usefixtures("stdin")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([CANARY], "--secret : write it as NAME=SOURCE, from env:NAME"),
        ([f"pin={CANARY}"], "--secret pin: write it as NAME=SOURCE"),
        (["=env:X"], "--secret : write it"),
        (["pin=env:NOT_SET_77"], "pin: the environment variable NOT_SET_77 is not set."),
        (["pin=file:/nowhere/x"], "pin: /nowhere/x cannot be read"),
        (["pin=-", "word=-"], "--secret word: --secret pin already reads standard input."),
        (["pin=-", "pin=env:X"], "--secret pin: given twice."),
        (["pin=prompt"], "pin: this secret is asked for, but there is no terminal."),
    ],
)
def test_what_cannot_be_had_is_a_sentence_that_repeats_no_value(
    words: list[str], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        Sources().secrets(words)
    assert sentence in refused.value.message
    assert CANARY not in f"{refused.value} {refused.value.hint}"


PARAMS = {
    "pin": Param(type="int", secret=True, required=True),
    "word": Param(secret=True),
    "day": Param(type="date", required=True),
}


def test_secrets_have_the_types_of_their_parameters() -> None:
    provided = {"pin": "60418827", "word": "k9Qx2", "more": "7"}
    secrets = call_secrets(PARAMS, [], {}, provided)
    assert secrets == {"pin": 60418827, "word": "k9Qx2", "more": "7"}


@pytest.mark.parametrize(
    ("args", "kwargs", "asked"),
    [([], {}, ["pin"]), ([], {"pin": 1}, []), ([1], {}, []), ([], {"day": "x"}, ["pin"])],
)
def test_only_a_required_secret_that_is_missing_is_asked_for(
    args: list[Any], kwargs: dict[str, Any], asked: list[str]
) -> None:
    prompted: list[str] = []

    def prompt(name: str) -> str:
        prompted.append(name)
        return "7"

    call_secrets(PARAMS, args, kwargs, {}, prompt)
    assert prompted == asked


@pytest.mark.parametrize(
    ("name", "kwargs", "sentence"),
    [
        ("pin", {"pin": 1}, "pin is given twice: by --kwargs and by --secret."),
        ("pin", {}, "pin: •••• is not an integer."),
        ("day", {"pin": 1}, "day: must be a date such as 2026-01-31."),
    ],
)
def test_a_misfit_is_reported_without_the_secret(
    name: str, kwargs: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        call_secrets(PARAMS, [], kwargs, {name: CANARY})
    assert refused.value.message == sentence


def test_a_secret_that_is_given_by_position_too_is_refused() -> None:
    with pytest.raises(UsageError, match=r"pin is given twice: by --args and by --secret\."):
        call_secrets(PARAMS, [1], {}, {"pin": "2"})


@pytest.fixture
def where(tmp_path: Path) -> dict[str, str]:
    """A journal and friends of the test's own."""
    (tmp_path / "friends.yaml").write_text(FRIENDS)
    return {
        "KIMERA_HOME": str(tmp_path / "home"),
        "KIMERA_FRIENDS": str(tmp_path / "friends.yaml"),
        "KIMERA_WORKFLOWS": str(tmp_path),
    }


@pytest.mark.usefixtures("broker_url")
def test_send_takes_secrets_without_a_word_of_them_on_the_command_line(
    run: Run, where: dict[str, str], tmp_path: Path, runtime_dir: Path, programs: Programs
) -> None:
    (tmp_path / "kwargs.json").write_text(json.dumps({"payload": CANARY}))
    ways = [
        (["--kwargs", f"@{tmp_path / 'kwargs.json'}"], ""),
        (["--kwargs", "-"], json.dumps({"payload": CANARY})),
        (["--secret", "payload=env:THE_KEY"], ""),
        (["--secret", "payload=-"], json.dumps(CANARY)),
    ]
    env = environment(KIMERA_RUNTIME_DIR=str(runtime_dir), THE_KEY=json.dumps(CANARY), **where)
    for words, piped in ways:
        done = programs.run(["send", "echo", "value", *words], env, REPO, piped)
        assert (done.returncode, done.stdout) == (0, "••••\n"), done.stderr
        assert CANARY not in done.stderr
        assert "list of processes" not in done.stderr
    seen = run("send", "echo", "value", "--kwargs", f'{{"payload": "{CANARY}"}}', **where)
    assert "other users can read payload in the list of processes" in seen.stderr
    missing = run("send", "echo", "value", **where)
    assert missing.returncode == 2
    assert "--secret payload=SOURCE takes it from env:NAME" in missing.stderr


@pytest.mark.usefixtures("broker_url")
def test_send_asks_for_a_required_secret_at_a_terminal(
    where: dict[str, str], runtime_dir: Path
) -> None:
    env = {"KIMERA_RUNTIME_DIR": str(runtime_dir), **where}
    with terminal(["-m", "kimera_tui", "send", "echo", "value"], env) as shown:
        shown.wait_for("payload:")
        shown.type(f'"{CANARY}"\r')
        assert shown.wait_for_end(60) == 0
        assert "••••" in shown.text
        assert CANARY not in shown.text


@pytest.mark.usefixtures("broker_url")
def test_run_takes_a_secret_from_where_the_command_says(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "mine.kimera.yaml").write_text(
        "kimera: 1\nname: mine\ninputs: {key: {type: secret}, day: {type: date}}\nsteps:\n"
        '  - {id: a, task: echo.value, kwargs: {payload: "${{ inputs.key }}"}}\n'
    )
    done = run("run", "mine", "--secret", "key=env:THE_KEY", "--json", **where, THE_KEY=CANARY)
    assert done.returncode == 0, done.stderr
    end = json.loads(done.stdout.splitlines()[-1])
    assert end["result"] == "••••"
    again = run("replay", end["run"], "--secret", "key=env:THE_KEY", **where, THE_KEY=CANARY)
    assert again.returncode == 0, again.stderr
    for words in (["key=env:NOT_SET_77"], ["day=env:THE_KEY"], [f"key={CANARY}"], [CANARY]):
        wrong = run("run", "mine", "--secret", *words, **where, THE_KEY=CANARY)
        assert wrong.returncode == 2
        assert CANARY not in wrong.stderr
    assert (
        "the workflow has no such secret; its secrets: key."
        in run("run", "mine", "--secret", "day=env:THE_KEY", **where).stderr
    )


@pytest.mark.usefixtures("broker_url")
def test_a_secret_is_read_once(run: Run, where: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "key"
    os.mkfifo(pipe)  # who reads it again waits for ever
    (tmp_path / "mine.kimera.yaml").write_text(
        f'kimera: 1\nname: mine\ninputs: {{key: {{type: secret, from: "file:{pipe}"}}}}\nsteps:\n'
        '  - {id: a, task: echo.value, kwargs: {payload: "${{ inputs.key }}"}}\n'
    )
    writer = threading.Thread(target=pipe.write_text, args=(CANARY,), daemon=True)
    writer.start()
    done = run("run", "mine", **where)
    assert (done.returncode, done.stdout) == (0, "••••\n"), done.stderr
