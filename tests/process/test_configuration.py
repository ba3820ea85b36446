"""Bootstrap, friends.yaml and .env, and the TaskManager that starts from them."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.friends import Friend
from kimera_tui.errors import CeleryDisabled, ConfigError, UnknownFriend
from kimera_tui.process import TaskManager, TaskParams

from .stand_in import manager_with

FRIENDS = "friends:\n  etl: {route: jobs.etl, queue: etl}\n"


def written(path: Path, text: str = FRIENDS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def named(path: Path) -> Bootstrap:
    return Bootstrap({"CELERY": "1", "KIMERA_FRIENDS": str(path)})


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "on", "11"])
def test_only_1_turns_celery_on(value: str) -> None:
    assert not Bootstrap({"CELERY": value}).celery_on


def test_celery_is_off_by_default_and_on_with_1() -> None:
    assert not Bootstrap({}).celery_on
    assert Bootstrap({"CELERY": "1"}).celery_on


def test_default_urls() -> None:
    bootstrap = Bootstrap({})
    assert bootstrap.celery_broker == "redis://localhost:6379/0"
    assert bootstrap.celery_backend == "redis://localhost:6379/0"


@pytest.mark.parametrize(
    ("environ", "backend"),
    [
        ({"BROKER_URL": "redis://h:1/2"}, "redis://h:1/2"),
        ({"BROKER_URL": "amqp://h//"}, "redis://localhost:6379/0"),
        ({"BROKER_URL": "redis://h:1/2", "RESULT_BACKEND": "redis://b:3/4"}, "redis://b:3/4"),
        ({"BROKER_URL": "redis://h:1/2", "RESULT_BACKEND": ""}, "redis://h:1/2"),
    ],
)
def test_the_backend_defaults_to_a_redis_broker(environ: dict[str, str], backend: str) -> None:
    assert Bootstrap(environ).celery_backend == backend


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis//h", "Broker URL: no scheme before `//`"),
        ("redis://h:99999/0", "Broker URL: port 99999 is greater than 65535."),
        ("redis://h:six/0", "Broker URL: the port must be a number."),
        ("foo://h", "Broker URL: scheme `foo` is not one of redis, rediss,"),
        ("redis://:s3cr#et@h/0", "Broker URL: a password with # must be written %23."),
    ],
)
def test_a_wrong_broker_url_is_a_plain_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Bootstrap({"BROKER_URL": url})
    assert str(caught.value).startswith(sentence)
    assert "s3cr" not in str(caught.value)


def test_a_wrong_backend_url_names_the_result_backend() -> None:
    with pytest.raises(ConfigError, match="Result backend URL: no scheme"):
        Bootstrap({"RESULT_BACKEND": "nonsense"})


def test_friends_are_looked_for_in_the_order_of_the_contract(tmp_path: Path) -> None:
    """The working directory is ``tmp_path`` here; places are filled from the last to the first."""
    app, environ = tmp_path / "app-path", {"CELERY": "1"}
    with_app = {**environ, "APP_PATH": str(app)}
    assert Bootstrap(environ).friends == {}
    places: list[tuple[Path, dict[str, str]]] = [
        (tmp_path / "friends.yaml", environ),
        (tmp_path / "friends.yaml", with_app),
        (app / "friends.yaml", with_app),
        (app / "app" / "config" / "friends.yaml", with_app),
        (tmp_path / "named.yaml", {**with_app, "KIMERA_FRIENDS": str(tmp_path / "named.yaml")}),
    ]
    for number, (path, where) in enumerate(places):
        written(path, FRIENDS.replace("etl:", f"friend{number}:"))
        assert list(Bootstrap(where).friends) == [f"friend{number}"]


def test_a_missing_file_means_no_friends(tmp_path: Path) -> None:
    assert named(tmp_path / "nowhere.yaml").friends == {}


@pytest.mark.parametrize("text", ["", "friends:\n", "friends: {}\n", "# nothing yet\n"])
def test_an_empty_file_means_no_friends_or_says_so(tmp_path: Path, text: str) -> None:
    path = written(tmp_path / "f.yaml", text)
    if text == "friends:\n":
        with pytest.raises(ConfigError, match="line 1: friends: must be a mapping"):
            named(path)
    else:
        assert named(path).friends == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("friends:\n  etl:\n    queue: etl\n", "line 2: friends.etl.route: is required."),
        ("friends:\n  etl:\n    route: a\n", "line 2: friends.etl.queue: is required."),
        ("friends:\n  etl:\n    route: a\n    queue: true\n",
         "line 4: friends.etl.queue: must be text; quote it."),
        ("friends:\n  etl:\n    route: 12\n    queue: q\n",
         "line 3: friends.etl.route: must be text; quote it."),
        ("friends:\n  etl:\n    route: a\n    queue: q\n    quee: x\n",
         "line 5: friends.etl.quee: unknown key 'quee'. Near: `queue`."),
        ("friends:\n  etl:\n    route: a\n    queue: q\n    timeout: 0\n",
         "line 5: friends.etl.timeout: "),
        ("friends:\n  etl: route\n", "line 2: friends.etl: must be a mapping"),
        ("friends:\n  - etl\n", "line 1: friends: must be a mapping"),
        ("friend: {}\n", "line 1: friend: unknown key 'friend'. Near: `friends`."),
        ("- a\n", "line 1: the file: must be a mapping"),
        ("friends:\n  etl: {route: a, queue: q}\n  etl: {route: b, queue: q}\n",
         "line 3: key `etl` is given twice, first on line 2."),
        ("friends:\n\tetl: {}\n", "line 2: found character that cannot start any token."),
        ("friends: *etl\n", "line 1: alias *etl is not allowed."),
        ("a: 1\n---\nb: 2\n", "line 2: more than one YAML document."),
        ("friends:\n  7: {route: a, queue: q}\n", "line 2: key `7` must be text; quote it."),
        ("friends:\n  [a]: {route: a, queue: q}\n",
         "line 2: a key must be text, not a list or a mapping."),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error_with_file_line_and_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path / "f.yaml", text)
    with pytest.raises(ConfigError) as caught:
        named(path)
    assert str(caught.value).startswith(f"{path}, {sentence}")


def test_yaml_tags_run_nothing(tmp_path: Path) -> None:
    text = f"friends: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n"
    with pytest.raises(ConfigError):
        named(written(tmp_path / "f.yaml", text))
    assert not (tmp_path / "made").exists()


def test_friends_are_mappings_by_name(tmp_path: Path) -> None:
    TaskManager.reset(named(written(tmp_path / "f.yaml")))
    friends = TaskManager().friends
    assert friends["etl"]["route"] == "jobs.etl"
    assert friends["etl"]["queue"] == "etl"


def test_the_task_manager_is_a_singleton() -> None:
    assert TaskManager() is TaskManager()


def test_reset_makes_a_new_one_from_what_is_given() -> None:
    first = TaskManager()
    TaskManager.reset(Bootstrap({"CELERY": "1"}, {"x": Friend(route="r", queue="q")}))
    second = TaskManager()
    assert second is not first
    assert list(second.friends) == ["x"]


def test_the_first_task_manager_reads_dotenv_of_the_working_directory(tmp_path: Path) -> None:
    written(tmp_path / "friends.yaml")
    (tmp_path / ".env").write_text("CELERY=1\nBROKER_URL=redis://from-dotenv:1/0\n")
    with pytest.MonkeyPatch.context() as environment:
        # Set and deleted, so that what .env brings is taken out again.
        for name in ("CELERY", "BROKER_URL"):
            environment.setenv(name, "")
            environment.delenv(name)
        TaskManager.reset()
        manager = TaskManager()
        assert manager.celery_app.conf.broker_write_url == "redis://from-dotenv:1/0"
        assert list(manager.friends) == ["etl"]


def test_dotenv_never_overrides_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CELERY=1\n")
    monkeypatch.setenv("CELERY", "0")
    TaskManager.reset()
    assert TaskManager().celery_app is None
    assert os.environ["CELERY"] == "0"


def test_constructing_does_no_network_io(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("network I/O")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    TaskManager.reset(named(written(tmp_path / "f.yaml")))
    manager = TaskManager()
    assert manager.celery_app is not None


async def test_off_means_no_app_no_friends_and_an_error_for_every_call(tmp_path: Path) -> None:
    path = written(tmp_path / "f.yaml")
    TaskManager.reset(Bootstrap({"CELERY": "0", "KIMERA_FRIENDS": str(path)}))
    manager = TaskManager()
    assert manager.celery_app is None
    assert manager.friends == {}
    two = [TaskParams("etl", "load"), TaskParams("etl", "load")]

    async def gathered(results: Any) -> None:
        raise AssertionError

    for call in (
        lambda: manager.send_async("load", "etl"),
        lambda: manager.send_await("load", "etl"),
        lambda: manager.paraSyncTasks(two),
        lambda: manager.paraTasks(two),
        lambda: manager.paraTasks(two, gathered),
        lambda: manager.chainSyncTasks(two),
        lambda: manager.chainTasks(two),
        lambda: manager.chainSyncTasks([]),
        lambda: manager.revoke("some-id"),
    ):
        with pytest.raises(CeleryDisabled, match="CELERY=1"):
            await call()


def test_celery_disabled_is_a_plain_exception() -> None:
    assert issubclass(CeleryDisabled, Exception)
    assert "CELERY=1" in str(CeleryDisabled())


async def test_an_unknown_friend_is_named_with_what_is_near() -> None:
    manager, app = manager_with()
    with pytest.raises(UnknownFriend, match=r"^No friend `etI`\. Near: `etl`\.$"):
        await manager.send_await("load", "etI")
    assert app.sent == []


async def test_a_friends_unset_variable_is_named() -> None:
    friend = Friend(route="r", queue="q", broker="${NO_SUCH_BROKER}")
    TaskManager.reset(Bootstrap({"CELERY": "1"}, {"far": friend}))
    with pytest.raises(ConfigError, match="Friend `far`: environment variable NO_SUCH_BROKER"):
        await TaskManager().send_await("x", "far")


def test_nothing_in_the_engine_imports_a_screen() -> None:
    modules = "kimera_tui.process, kimera_tui.runs.index, kimera_tui.execution.runner"
    code = (
        f"import sys, {modules}\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('textual', 'rich')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_importing_the_engine_imports_no_celery() -> None:
    """It takes most of a second; the screen paints before that."""
    code = "import sys, kimera_tui.process; print('celery' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


def test_making_the_manager_needs_no_running_loop() -> None:
    TaskManager.reset()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert TaskManager() is TaskManager()
