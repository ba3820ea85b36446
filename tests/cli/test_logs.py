"""The log: private files, and no secret in them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.cli.program import logs
from kimera_tui.runs.journal.value_codec import Packer

CANARY = "canary-5e4715e1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with a log that is full after two records, and a umask that hides nothing."""
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path / "new" / "home"))
    monkeypatch.setattr(logs, "MAX_BYTES", 200)
    root, old_umask = logging.getLogger(), os.umask(0)
    handlers, levels = [*root.handlers], (root.level, logging.getLogger("kimera").level)
    logs.log_to_file()
    yield tmp_path / "new"
    os.umask(old_umask)
    for handler in set(root.handlers) - {*handlers}:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    logging.getLogger("kimera").setLevel(levels[1])


def test_every_file_and_folder_is_private_after_a_rotation_too(home: Path) -> None:
    for _ in range(5):
        logging.getLogger("kimera").warning("x" * 90)
    created = [home, *home.rglob("*")]
    names = {path.name for path in created if path.is_file()}
    assert names == {"kimera.log", "kimera.log.1"}
    assert {path.stat().st_mode & 0o777 for path in created if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in created if path.is_dir()} == {0o700}


def test_the_log_hides_what_the_screen_hides_and_what_runs_declare(home: Path) -> None:
    Packer().learn({"pin": 60418827, "word": "k9Qx2"}, {"pin", "word"})
    log = logging.getLogger("kimera")
    log.warning("Authorization: Bearer %s", CANARY)
    log.warning("-----BEGIN PRIVATE KEY-----\n%s", CANARY)
    log.warning("redis://u:%s@h and clientSecret=%s", CANARY, CANARY)
    try:
        raise ValueError("the pin was 60418827, the word k9Qx2")
    except ValueError:
        log.exception("it failed")
    content = "".join(path.read_text() for path in home.rglob("kimera.log*"))
    assert "ValueError: the pin was ••••, the word ••••" in content
    for secret in (CANARY, "60418827", "k9Qx2"):
        assert secret not in content
