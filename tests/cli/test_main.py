"""What goes wrong before a command begins is one sentence too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from kimera_tui.cli.main import main


def test_an_env_file_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"NAME=caf\xe9\n")
    done = CliRunner().invoke(main, ["friends"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "kimera-tui: .env: not UTF-8 at byte 8: save it as UTF-8.\n"


@pytest.mark.parametrize("named_by", ["KIMERA_FRIENDS", "APP_PATH"])
def test_a_friends_file_that_cannot_be_looked_for_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BROKER_URL", "redis://localhost:1/0")
    monkeypatch.setenv(named_by, str(tmp_path / ("long" * 100) / "x"))
    done = CliRunner().invoke(main, ["friends"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "cannot be read (File name too long)." in done.stderr
    assert "Traceback" not in done.output
