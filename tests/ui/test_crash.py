"""What is left of a crash: where it happened, and no values."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import BaseModel
from textual.worker import WorkerFailed

from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.ui.crash import report_crash


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    return tmp_path


def report(home: Path) -> str:
    (path,) = (home / "state").glob("crash-*")
    return path.read_text()


def test_the_report_of_a_worker_says_where_it_failed_and_the_sentence_with_what(home: Path) -> None:
    def goes_wrong() -> None:
        raise ZeroDivisionError

    try:
        goes_wrong()
    except ZeroDivisionError as error:
        text = report_crash(WorkerFailed(error))
    assert text.startswith("Kimera crashed (ZeroDivisionError); ")
    assert "in goes_wrong" in report(home)


def test_the_report_holds_no_value_that_a_model_refused(home: Path) -> None:
    class Login(BaseModel):
        pin: int
        code: int

    answers = {"pin": "hunter2-a", "code": "input_type=x, input_type=hunter2-b\n"}
    try:
        try:
            Login.model_validate(answers)
        except ValueError as error:
            raise RuntimeError(f"it can't be: {error!r}") from error
    except RuntimeError as error:
        report_crash(error)
    assert "Input should be a valid integer" in report(home)
    assert "in test_the_report_holds_no_value" in report(home)
    assert "hunter2" not in report(home)


def test_the_report_hides_the_declared_secrets_of_every_run(home: Path) -> None:
    Packer().learn({"pin": 60418827, "short": 7}, {"pin", "short"})
    try:
        raise ValueError("pin 60418827, {'short': 7}, 7 rows")
    except ValueError as error:
        report_crash(error)
    text = report(home)
    assert "ValueError: pin ••••, {'short': ••••}, 7 rows" in text
    assert "60418827" not in text


def test_the_report_is_private_whatever_the_umask(home: Path) -> None:
    old_umask = os.umask(0)
    try:
        report_crash(ZeroDivisionError())
    finally:
        os.umask(old_umask)
    (path,) = (home / "state").glob("crash-*")
    assert [each.stat().st_mode & 0o777 for each in (path, path.parent)] == [0o600, 0o700]
