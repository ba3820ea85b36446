"""Secrets planted everywhere are found nowhere but in the broker's message."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from kimera_tui.console.export import write_run
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.ui.crash import report_crash
from tests.cli.programs import Done, Programs
from tests.conftest import REPO
from tests.process.redis.servers import Server
from tests.torture.lab import torture_worker

Kimera = Callable[..., Done]
PASSWORD, TOKEN, INPUT = "canary-broker-1f", "canary-token-2e", "canary-input-3d"
CANARIES = (PASSWORD, TOKEN, INPUT)
ALL = [canary.encode() for canary in CANARIES]

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


# Declared secrets of every type; each is found by its text only where it is long enough.
DECLARED: dict[str, Any] = {
    "word": "k9Qx2",
    "pin": 60418827,
    "rate": 31.41592,
    "born": "1984-03-12",
    "card": {"no": 4111222233334444, "of": ["canary-leaf-4a"], "cvc": 737},
    "multi": "canary-line-one-5b\ncanary-line-two-5b",
    "on": True,
}
TYPED = (
    b"k9Qx2", b"60418827", b"60,418,827", b"31.41592", b"1984-03-12", b"4111222233334444",
    b"canary-leaf-4a", b"canary-line-one-5b", b"canary-line-two-5b", b'"cvc": 737', b"'cvc': 737",
    b'"on": true', b"'on': True", b"canary-part-6c", b"canary-env-7d",
)  # fmt: skip
TYPES = {
    "word": "string", "pin": "int", "rate": "float", "born": "date", "card": "json",
    "multi": "string", "on": "bool",
}  # fmt: skip
PARAMS = {name: {"type": kind, "secret": True} for name, kind in TYPES.items()}
TYPED_LAB = {
    "route": "torture",
    "queue": "torture",
    "tasks": {"got": {"params": PARAMS}, "raises": {"params": PARAMS}},
}
TYPED_WORKFLOW = """
kimera: 1
name: typed
env: [CANARY_API_KEY]
inputs:
  part: {type: secret, from: "env:CANARY_PART"}
  pin: {type: secret}
steps:
  - id: holds_a_part
    task: lab.raises
    retry: {max: 1, delay: 0.1s}
    kwargs:
      of: canary
      url: "https://h/${{ inputs.part }}/x"
      head: "id ${{ env.CANARY_API_KEY }}"
      pin: "${{ inputs.pin }}"
    on_error:
      - id: handles
        task: lab.got
        kwargs: {of: canary, said: "it said ${{ error.message }}"}
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


@pytest.fixture
def kimera(programs: Programs) -> Kimera:
    """Run a command with its home and its files in one folder."""
    return functools.partial(call, programs)


def call(programs: Programs, server: Server, home: Path, *words: str, stdin: str = "") -> Done:
    env = {
        **os.environ,
        "BROKER_URL": server.url(),
        "RESULT_BACKEND": server.url(),
        "KIMERA_HOME": str(home / "home"),
        "KIMERA_FRIENDS": str(home / "friends.yaml"),
        "KIMERA_WORKFLOWS": str(home),
        "CANARY_INPUT": INPUT,
        "CANARY_PART": "canary-part-6c",
        "CANARY_API_KEY": "canary-env-7d",
        "CANARY_PIN": str(DECLARED["pin"]),
        "PYTHONPATH": str(REPO),
    }
    return programs.run(list(words), env, home, stdin, timeout=90)


def leaks(folder: Path, canaries: Sequence[bytes] = ALL) -> list[str]:
    """Files in which one of the canaries stands, those of the journal unpacked."""
    return [
        f"{path.name}: {canary!r}"
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("server.log",)
        for canary in canaries
        if canary in path.read_bytes() or (path.name == "runs.db" and canary in _rows(path))
    ]


def _rows(journal: Path) -> bytes:
    """All that the journal holds, which may be compressed."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        rows = [
            each
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for row in db.execute(f"SELECT * FROM {table}")
            for each in row
        ]
    found = [
        zlib.decompress(each) if isinstance(each, bytes) else str(each).encode() for each in rows
    ]
    return b"\n".join(found)


def test_secrets_are_in_no_file_and_in_no_output(
    guarded: Guarded, tmp_path: Path, kimera: Kimera
) -> None:
    (tmp_path / "friends.yaml").write_text(FRIENDS)
    (tmp_path / "flow.kimera.yaml").write_text(WORKFLOW.replace("PASS", "looked-up"))
    done = kimera(guarded, tmp_path, "run", "flow.kimera.yaml", "--json")
    outputs = [done.stdout, done.stderr]
    assert '"status": "failed"' in done.stdout, done.stderr
    assert "gives_it_back" in done.stdout
    kwargs = f'{{"of": "canary", "pin": "{TOKEN}", "note": "the pin is {TOKEN}"}}'
    sent = kimera(guarded, tmp_path, "send", "lab", "got", "--kwargs", kwargs)
    assert sent.returncode == 0, sent.stderr
    assert "the pin is" in sent.stdout
    outputs += [sent.stdout, sent.stderr]
    for words in (["runs", "--json"], ["runs"], ["workflow", "list", "--json"]):
        guarded_run = kimera(guarded, tmp_path, *words)
        outputs += [guarded_run.stdout, guarded_run.stderr]
    wrong = kimera(guarded, tmp_path, "send", "lab", "give", "--kwargs", '{"nothing": 1}')
    outputs += [wrong.stdout, wrong.stderr]
    for canary in CANARIES:
        assert not [text for text in outputs if canary in text], canary
    assert leaks(tmp_path / "home") == []
    assert (tmp_path / "home" / "state" / "runs.db").stat().st_size > 0


def test_a_broker_that_is_gone_is_reported_without_its_password(
    guarded: Guarded, tmp_path: Path, kimera: Kimera
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


async def exported(home: Path) -> None:
    """Write every run of the journal to a file beside it."""
    journal = Journal(home / "home" / "state" / "runs.db", SystemClock())
    await journal.open()
    try:
        for row in await journal.runs("", 20):
            write_run(home / "home", row.run_id, await journal.events_of(row.run_id))
    finally:
        await journal.close()


def test_declared_secrets_of_every_type_are_in_no_file_and_in_no_output(
    guarded: Guarded, tmp_path: Path, kimera: Kimera
) -> None:
    (tmp_path / "friends.yaml").write_text(json.dumps({"friends": {"lab": TYPED_LAB}}))
    (tmp_path / "typed.kimera.yaml").write_text(TYPED_WORKFLOW)
    kwargs = json.dumps({"of": "canary", **DECLARED})
    again = json.dumps({"of": "canary", "rows": [*DECLARED.values()], **DECLARED})
    done = [
        kimera(guarded, tmp_path, "send", "lab", "got", "--kwargs", "-", stdin=kwargs),
        kimera(guarded, tmp_path, "send", "lab", "got", "--kwargs", "-", "--json", stdin=again),
        kimera(guarded, tmp_path, "send", "lab", "raises", "--kwargs", "-", stdin=again),
        kimera(guarded, tmp_path, "send", "lab", "raises", "--kwargs", "-", "--json", stdin=kwargs),
        kimera(guarded, tmp_path, "run", "typed.kimera.yaml", "--secret", "pin=env:CANARY_PIN"),
        kimera(
            guarded, tmp_path, "run", "typed.kimera.yaml", "--json", "--secret", "pin=-",
            stdin=str(DECLARED["pin"]),
        ),
    ]  # fmt: skip
    assert [each.returncode for each in done] == [0, 0, 1, 1, 1, 1]
    assert '"pin": "••••"' in done[0].stdout
    assert "ValueError: " in done[2].stderr
    assert "it said no use for" in done[5].stdout
    assert "on is too short or common to mask everywhere" in done[0].stderr
    runs = [
        json.loads(line) for line in kimera(guarded, tmp_path, "runs", "--json").stdout.splitlines()
    ]
    ids = [each["run"] for each in runs]
    assert len(ids) == 6
    done += [
        kimera(guarded, tmp_path, "runs"),
        kimera(guarded, tmp_path, "runs", "--json"),
        kimera(guarded, tmp_path, "watch", ids[-1]),
        kimera(guarded, tmp_path, "compare", ids[-1], ids[-2]),
        kimera(guarded, tmp_path, "replay", ids[0], "--secret", "pin=env:CANARY_PIN"),
    ]
    asyncio.run(exported(tmp_path))
    assert len([*(tmp_path / "home").glob("run-*.json")]) == 7
    outputs = "".join(f"{each.stdout}{each.stderr}" for each in done).encode()
    assert [canary for canary in TYPED if canary in outputs] == []
    assert leaks(tmp_path / "home", TYPED) == []
    created = [path for path in (tmp_path / "home").rglob("*") if not path.is_socket()]
    assert {path.stat().st_mode & 0o077 for path in created} == {0}
