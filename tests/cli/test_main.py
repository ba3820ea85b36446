"""What goes wrong before a command begins is one sentence too."""

from __future__ import annotations

from pathlib import Path

import pytest
from click import Command, Context, Group
from click.testing import CliRunner

from kimera_tui.cli.friends import FIRST_LINES
from kimera_tui.cli.main import main
from kimera_tui.cli.workflow import workflow
from kimera_tui.config.friends import load_friends
from kimera_tui.console.friends import SEEN
from tests.process.redis.servers import free_port


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


@pytest.mark.parametrize("words", [[], ["workflow"]], ids=["main", "workflow"])
def test_no_description_of_a_command_is_cut(words: list[str]) -> None:
    done = CliRunner().invoke(main, [*words, "--help"], terminal_width=70)
    group: Group = workflow if words else main
    assert "..." not in done.stdout.split("Commands:")[1]
    context = Context(group)
    commands = [group.get_command(context, name) for name in group.list_commands(context)]
    assert [each for each in commands if each is None or not _is_short(each)] == []


def _is_short(command: Command) -> bool:
    return command.short_help is not None and len(command.short_help) <= 50


def test_one_friend_is_one_friend(tmp_path: Path) -> None:
    path = tmp_path / "friends.yaml"
    path.write_text(FIRST_LINES)  # which is a file that can be used as it is
    assert load_friends(path)["shop"].route == "shop.tasks"
    done = CliRunner().invoke(main, ["friends"], env={"KIMERA_FRIENDS": str(path)})
    assert done.stderr == f"1 friend in {path}\n"


def test_values_that_were_read_otherwise_are_reported_once_for_each_text_of_the_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "friends.yaml"
    text = "friends:\n  shop:\n    route: r\n    queue: q\n    description: on\n"
    rows = [
        f"warning: {path} is now read as YAML 1.2. Values that earlier versions read otherwise:",
        "warning: line 5: `on` is text, not true",
        "1 friend in ",
    ]
    environ = {"KIMERA_FRIENDS": str(path), "KIMERA_HOME": str(tmp_path / "home")}

    def lines() -> list[str]:
        done = CliRunner().invoke(main, ["friends"], env=environ)
        return done.stderr.replace(f"in {path}", "in ").splitlines()

    for expected in (rows, rows[2:]):
        path.write_text(text)
        assert lines() == expected
    path.write_text(f"# Changed\n{text}")
    assert lines()[1] == "warning: line 6: `on` is text, not true"
    path.write_text(text.replace("on\n", "'on'\n"))
    assert lines() == rows[2:]


@pytest.mark.parametrize(
    "words",
    [
        ["cancel", "r"], ["compare", "a", "b"], ["friends"], ["replay", "r"], ["resume", "r"],
        ["run", "nightly"], ["runs"], ["send", "shop", "ask"], ["trust", "nightly"], ["watch", "r"],
        ["workflow", "check", "nightly"], ["workflow", "list"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_command_reports_values_that_were_read_otherwise(
    tmp_path: Path, words: list[str]
) -> None:
    path = tmp_path / "friends.yaml"
    path.write_text("friends:\n  shop:\n    route: r\n    queue: q\n    description: on\n")
    environ = {
        "BROKER_URL": f"redis://127.0.0.1:{free_port()}/0", "KIMERA_FRIENDS": str(path),
        "KIMERA_HOME": str(tmp_path / "home"), "KIMERA_WORKFLOWS": str(tmp_path),
    }  # fmt: skip
    (tmp_path / "nightly.kimera.yaml").write_text(
        "kimera: 1\nname: nightly\nsteps: [{id: a, task: shop.ask}]\n"
    )
    done = CliRunner().invoke(main, words, env=environ)
    assert "warning: line 5: `on` is text, not true" in done.stderr.splitlines()


def test_what_cannot_be_remembered_is_reported_again(tmp_path: Path) -> None:
    path, home = tmp_path / "friends.yaml", tmp_path / "home"
    path.write_text("friends:\n  shop:\n    route: r\n    queue: q\n    description: on\n")
    (home / "state" / SEEN).mkdir(parents=True)
    for _ in range(2):
        environ = {"KIMERA_FRIENDS": str(path), "KIMERA_HOME": str(home)}
        done = CliRunner().invoke(main, ["friends"], env=environ)
        assert done.exit_code == 0
        assert "line 5: `on` is text, not true" in done.stderr


def test_without_friends_the_first_three_lines_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_URL", "redis://localhost:1/0")
    none = CliRunner().invoke(main, ["friends"])
    (tmp_path / "friends.yaml").write_text("friends: {}\n")
    empty = CliRunner().invoke(main, ["friends"])
    for done, why in ((none, "does not exist"), (empty, "is empty")):
        assert (done.exit_code, done.stdout) == (2, "")
        first, *more = done.stderr.splitlines()
        assert first == f"kimera-tui: No friends: friends.yaml {why}. Start with:"
        assert [line.removeprefix("  ") for line in more] == FIRST_LINES.splitlines()
        assert len(more) == 3
