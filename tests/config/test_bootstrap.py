"""What the environment says to the engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.env_file import is_from_env_file, load_env, load_settings
from kimera_tui.errors import ConfigError
from tests.conftest import REPO

FRIENDS = str(REPO / "friends.yaml")


def test_celery_is_off_by_default_and_nothing_is_read() -> None:
    bootstrap = Bootstrap({"KIMERA_FRIENDS": FRIENDS})
    assert not bootstrap.celery_on
    assert bootstrap.friends == {}


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "2"])
def test_anything_but_1_is_off(value: str) -> None:
    assert not Bootstrap({"CELERY": value}).celery_on


def test_on_reads_the_friends() -> None:
    bootstrap = Bootstrap({"CELERY": "1", "KIMERA_FRIENDS": FRIENDS})
    assert bootstrap.celery_on
    assert "calculator" in bootstrap.friends


def test_urls_have_the_documented_defaults() -> None:
    assert Bootstrap({}).celery_broker == "redis://localhost:6379/0"
    assert Bootstrap({}).celery_backend == "redis://localhost:6379/0"
    assert Bootstrap({"BROKER_URL": "redis://h/3"}).celery_backend == "redis://h/3"
    amqp = Bootstrap({"BROKER_URL": "amqp://h//"})
    assert amqp.celery_backend == "redis://localhost:6379/0"
    both = Bootstrap({"BROKER_URL": "amqp://h//", "RESULT_BACKEND": "rpc://"})
    assert both.celery_backend == "rpc://"


def test_a_malformed_url_is_reported_by_the_name_of_its_setting() -> None:
    with pytest.raises(ConfigError, match="Result backend URL: no scheme"):
        Bootstrap({"RESULT_BACKEND": "redis//h"})


def test_what_env_says_counts_where_the_environment_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIMERA_ONE", "1")
    monkeypatch.setenv("KIMERA_TWO", "")  # so that it is gone after the test
    monkeypatch.delenv("KIMERA_TWO")
    load_env()
    (tmp_path / ".env").write_text("KIMERA_ONE=2\nKIMERA_TWO=2 é\n")
    load_env()
    assert (os.environ["KIMERA_ONE"], os.environ["KIMERA_TWO"]) == ("1", "2 é")


def test_an_env_file_that_is_not_utf8_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes("BROKER_URL=redis://:café@h/0\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"\.env: not UTF-8 at byte 23: save it as UTF-8\."):
        load_env()


def test_an_env_file_that_may_not_be_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CELERY=1\n")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(ConfigError, match=r"\.env: cannot be read \(Permission denied\)"):
        load_env()


def test_an_env_file_with_what_no_environment_holds_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("KIMERA_NUL=a\0b\n")
    with pytest.raises(ConfigError, match=r"\.env: KIMERA_NUL: embedded null byte\."):
        load_env()


def test_nothing_is_filled_in_for_what_an_env_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_TOKEN", "canary")
    monkeypatch.setenv("BROKER_URL", "")  # so that it is gone after the test
    monkeypatch.delenv("BROKER_URL")
    (tmp_path / ".env").write_text("BROKER_URL=redis://u:${SOME_TOKEN}@h/0\n")
    load_env()
    assert os.environ["BROKER_URL"] == "redis://u:${SOME_TOKEN}@h/0"


def test_the_commands_take_only_settings_that_are_data_from_an_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KIMERA_FRIENDS", "mine.yaml")
    names = ("BROKER_URL", "KIMERA_WORKFLOWS", "KIMERA_REDIS_SERVER", "LD_PRELOAD", "EDITOR")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    home = os.environ["KIMERA_HOME"]
    (tmp_path / ".env").write_text(
        "BROKER_URL=redis://u:${HOME}@h/0\nKIMERA_WORKFLOWS=flows\nKIMERA_FRIENDS=theirs.yaml\n"
        "KIMERA_REDIS_SERVER=/tmp/evil\nKIMERA_HOME=/tmp/evil\nLD_PRELOAD=/tmp/evil\nEDITOR=evil\n"
        "PATH=/tmp/evil\nA_LINE_WITHOUT_A_VALUE\n"
    )
    assert load_settings() == ["KIMERA_REDIS_SERVER", "KIMERA_HOME"]
    assert os.environ["BROKER_URL"] == "redis://u:${HOME}@h/0"
    assert os.environ["KIMERA_WORKFLOWS"] == "flows"
    assert os.environ["KIMERA_FRIENDS"] == "mine.yaml"
    assert os.environ["KIMERA_HOME"] == home
    assert not {"KIMERA_REDIS_SERVER", "LD_PRELOAD", "EDITOR"} & set(os.environ)
    assert is_from_env_file("BROKER_URL")
    assert not is_from_env_file("KIMERA_FRIENDS")
