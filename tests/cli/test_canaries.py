"""Secrets planted everywhere are found nowhere but in the broker's message."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from kimera_tui.ui.crash import report_crash
from tests.conftest import REPO
from tests.engine_redis.servers import Server
from tests.torture.lab import torture_worker

PASSWORD, TOKEN, INPUT = "canary-broker-1f", "canary-token-2e", "canary-input-3d"
CANARIES = (PASSWORD, TOKEN, INPUT)

FRIENDS = """
friends:
  lab:
    route: torture
    queue: torture
    tasks:
      got: {params: {pin: {type: string, secret: true}}}
"""
WORKFLOW = """
kimera: 1
name: canaries
inputs: {key: {type: secret, from: "env:CANARY_INPUT"}}
steps:
  - id: told
    task: lab.got
    kwargs: {of: canary, pin: "${{ inputs.key }}", word: "key ${{ inputs.key }}", password: PASS}
  - id: gives_it_back
    task: lab.give
    pass: none
    kwargs: {of: canary, value: "key is ${{ inputs.key }}"}
  - id: fails_with_it
    task: lab.fail_times
    pass: none
    kwargs: {of: canary, times: 9, key: "${{ inputs.key }}"}
"""


class Guarded(Server):
    """A server that wants a password."""

    def url(self, db: int = 0) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/{db}"

    def client(self, db: int = 0, **options: object) -> redis.Redis:
        return super().client(db, password=PASSWORD, **options)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    server = Guarded(tmp_path_factory.mktemp("guarded"), ["--requirepass", PASSWORD])
    server.start()
    with torture_worker(server):
        yield server
    server.stop()


def kimera(server: Server, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with its home and its files in one folder."""
    env = {
        **os.environ,
        "BROKER_URL": server.url(),
        "RESULT_BACKEND": server.url(),
        "KIMERA_HOME": str(home / "home"),
        "KIMERA_FRIENDS": str(home / "friends.yaml"),
        "KIMERA_WORKFLOWS": str(home),
        "CANARY_INPUT": INPUT,
        "PYTHONPATH": str(REPO),
    }
    return subprocess.run(
        [sys.executable, "-m", "kimera_tui", *words],
        capture_output=True, text=True, timeout=90, cwd=home, stdin=subprocess.DEVNULL, env=env,
    )  # fmt: skip


def leaks(folder: Path) -> list[str]:
    """Files in which one of the canaries stands."""
    return [
        f"{path.name}: {canary}"
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("server.log",)
        for canary in CANARIES
        if canary.encode() in path.read_bytes()
    ]


def test_secrets_are_in_no_file_and_in_no_output(guarded: Guarded, tmp_path: Path) -> None:
    (tmp_path / "friends.yaml").write_text(FRIENDS)
    (tmp_path / "flow.kimera.yaml").write_text(WORKFLOW.replace("PASS", "looked-up"))
    done = kimera(guarded, tmp_path, "run", "flow.kimera.yaml", "--json")
    said = [done.stdout, done.stderr]
    assert '"status": "failed"' in done.stdout, done.stderr
    assert "gives_it_back" in done.stdout
    kwargs = f'{{"of": "canary", "pin": "{TOKEN}", "note": "the pin is {TOKEN}"}}'
    sent = kimera(guarded, tmp_path, "send", "lab", "got", "--kwargs", kwargs)
    assert sent.returncode == 0, sent.stderr
    assert "the pin is" in sent.stdout
    said += [sent.stdout, sent.stderr]
    for words in (["runs", "--json"], ["runs"], ["workflow", "list", "--json"]):
        told = kimera(guarded, tmp_path, *words)
        said += [told.stdout, told.stderr]
    wrong = kimera(guarded, tmp_path, "send", "lab", "give", "--kwargs", '{"nothing": 1}')
    said += [wrong.stdout, wrong.stderr]
    for canary in CANARIES:
        assert not [text for text in said if canary in text], canary
    assert leaks(tmp_path / "home") == []
    assert (tmp_path / "home" / "state" / "runs.db").stat().st_size > 0


def test_a_broker_that_is_gone_is_told_without_its_password(
    guarded: Guarded, tmp_path: Path
) -> None:
    (tmp_path / "friends.yaml").write_text(FRIENDS)
    gone = Guarded(tmp_path / "gone")
    sent = kimera(gone, tmp_path, "send", "lab", "give", "--kwargs", '{"of": "x"}')
    assert sent.returncode == 69
    assert PASSWORD not in sent.stdout + sent.stderr
    assert leaks(tmp_path / "home") == []


def test_a_crash_report_holds_no_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    secret = TOKEN  # a local of a frame in the traceback
    try:
        raise ConnectionError(f"redis://:{PASSWORD}@host/0 refused {len(secret)}")
    except ConnectionError as error:
        report_crash(error)
    assert "ConnectionError" in next((tmp_path / "state").glob("crash-*")).read_text()
    assert leaks(tmp_path) == []
