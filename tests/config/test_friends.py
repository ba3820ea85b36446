"""friends.yaml: what may stand in it, and the sentence for everything else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kimera_tui.config.friends import (
    MAX_PATTERNS,
    expand,
    find_friend,
    friends_path,
    load_friends,
    secret_params,
)
from kimera_tui.errors import ConfigError, UnknownFriend
from tests.conftest import REPO


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "friends.yaml"
    path.write_text(text)
    return path


def test_the_demo_friends_are_readable() -> None:
    friends = load_friends(REPO / "friends.yaml")
    assert len(friends) >= 3
    assert friends["reports"].tasks["render"].params["token"].secret


def test_a_missing_file_means_no_friends(tmp_path: Path) -> None:
    assert load_friends(tmp_path / "nowhere.yaml") == {}


def test_an_empty_file_means_no_friends(tmp_path: Path) -> None:
    assert load_friends(written(tmp_path, "")) == {}


def test_what_was_set_is_the_mapping(tmp_path: Path) -> None:
    path = written(tmp_path, "friends:\n  a: {route: x.tasks, queue: q, danger: true}\n")
    mapping = load_friends(path)["a"].as_mapping()
    assert (mapping["route"], mapping["queue"], mapping["danger"]) == ("x.tasks", "q", True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("friends:\n  a: {route: x, quue: q}\n", "line 2: friends.a.q"),
        ("friends:\n  a:\n    route: x\n    queue: q\n    color: red\n",
         "line 5: friends.a.color: unknown key 'color'."),
        ("freinds: {}\n", "line 1: freinds: unknown key 'freinds'. Near: `friends`."),
        ("friends:\n  a: {queue: q}\n", "line 2: friends.a.route: is required."),
        ("friends:\n  a: {route: 7, queue: q}\n", "line 2: friends.a.route: must be text"),
        ("friends:\n  a: {route: '', queue: q}\n", "line 2: friends.a.route: only letters"),
        ("friends:\n  a: hello\n", "line 2: friends.a: must be a mapping"),
        ("friends: [1]\n", "line 1: friends: must be a mapping"),
        ("- 1\n", "line 1: the file: must be a mapping"),
        ("friends:\n  a: &x {route: x, queue: q}\n  b: *x\n", "line 2: anchor &x is not allowed"),
        ("friends:\n  a: {route: x, queue: q}\n  a: {route: y, queue: q}\n",
         "line 3: key `a` is given twice, first on line 2."),
        ("friends: {}\n---\nfriends: {}\n", "line 2: more than one YAML document."),
        ("friends:\n\ta: 1\n", "line 2: found character that cannot start any token."),
        ("friends: {\n", "line 2: did not find expected node content."),
        ("[" * 50_000, "nested deeper than 200"),
        ("friends: !!python/object:os.system x\n",
         "line 1: tag !!python/object:os.system is not allowed; quote a value that must be text."),
        ("friends:\n  a: !!int ''\n", "line 2: tag !!int is not allowed"),
        ("friends: !!timestamp x\n", "line 1: tag !!timestamp is not allowed"),
        ("friends: !!bool x\n", "line 1: tag !!bool is not allowed"),
        ("friends: !!map {}\n", "line 1: tag !!map is not allowed"),
        ("friends: !mine [1]\n", "line 1: tag !mine is not allowed"),
        ("friends: ! x\n", "line 1: tag ! is not allowed"),
        ("friends: 1" + ":59" * 200 + ".5\n", "line 1: friends: must be a mapping"),
        ("friends:\n  a: {route: x, queue: q, timeout: 0}\n", "line 2: friends.a.timeout:"),
        ("friends:\n  a: {route: x, queue: q, timeout: .inf}\n",
         "line 2: .inf cannot be sent."),
        ("friends:\n  a: {route: x, queue: q, timeout: .nan}\n",
         "line 2: .nan cannot be sent."),
        ("\x00", "control characters are not allowed."),
    ],
)  # fmt: skip
def test_a_malformed_file_is_an_error_that_names_file_line_and_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_friends(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_values_are_what_is_written(tmp_path: Path) -> None:
    text = """\
friends:
  no:
    route: on
    queue: off
    tasks:
      ask:
        params:
          shift: {type: enum, values: [on, off, no]}
          at: {type: string, default: 14:45}
          code: {type: string, default: 0755}
          size: {type: string, default: 2_500}
          day: {type: date, default: 2026-01-31}
"""
    friend = load_friends(written(tmp_path, text))["no"]
    assert (friend.route, friend.queue) == ("on", "off")
    params = friend.tasks["ask"].params
    assert params["shift"].values == ["on", "off", "no"]
    defaults = [params[name].default for name in ("at", "code", "size", "day")]
    assert defaults == ["14:45", "0755", "2_500", "2026-01-31"]


def with_param(declaration: str) -> str:
    return (
        "friends:\n  shop:\n    route: r\n    queue: q\n    tasks:\n      ask:\n"
        f"        params:\n          x:\n            {declaration}\n"
    )


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ("default: 750", "x.default: 750 is not text; quote it."),
        ("{type: int, default: 017}", 'x.default: "017" is not an integer.'),
        ("{type: bool, default: on}", 'x.default: "on" is not true or false.'),
        ("{type: date, default: soon}", "x.default: must be a date such as 2026-01-31."),
        ("{type: duration, default: 1y}", "x.default: must be a duration such as"),
        ("{type: datetime, default: noon}", "x.default: must be a date and time such as"),
        ("{type: enum, values: [a], default: b}", "x.default: must be one of a."),
        ("{type: int, max: 3, default: 4}", "x.default: must be at most 3."),
        ("{type: enum}", "x.values: is required for an enum."),
        ("{min: 3}", "x.min: is allowed for numbers, dates and durations only."),
        ("{type: int, min: [3]}", "x.min: must be a number, or a date, time or duration as text."),
        ("{type: int, min: 3, max: 2}", "x.min: is greater than `max`."),
        ("{pattern: '('}", "x.pattern: is not a regular expression: unclosed group."),
        ("{type: secret}", "x.type: must be one of string, int,"),
        ("{typ: int}", "x.typ: unknown key 'typ'. Near: `type`."),
    ],
)
def test_a_parameter_that_makes_no_sense_is_reported_with_its_line_and_key(
    tmp_path: Path, declaration: str, sentence: str
) -> None:
    path = written(tmp_path, with_param(declaration))
    with pytest.raises(ConfigError) as caught:
        load_friends(path)
    line = 8 if declaration.startswith("{type: enum}") else 9
    place = f"{path}, line {line}: friends.shop.tasks.ask.params."
    assert str(caught.value).startswith(f"{place}{sentence}")
    assert caught.value.hint == ""


@pytest.mark.parametrize(
    "declaration",
    [
        "{type: int, default: 3, min: 1, max: 9}",
        "{type: float, default: 3}",
        "{type: duration, default: 5m, max: 1h}",
        "{type: datetime, default: 2026-01-31T12:30:00Z, min: 2026-01-01}",
        "{type: date, default: 2026-01-31}",
        "{type: json, default: {a: [1]}}",
        "{type: enum, values: [no, 7], default: no}",
        "{pattern: '[A-Z]{3}', max_length: 3, default: EUR}",
        "{default: 12:30, secret: true, required: true, description: When}",
    ],
)
def test_a_parameter_with_a_fitting_default_is_taken(tmp_path: Path, declaration: str) -> None:
    friends = load_friends(written(tmp_path, with_param(declaration)))
    assert friends["shop"].tasks["ask"].params["x"].default is not None


def test_patterns_are_few_for_each_takes_its_time(tmp_path: Path) -> None:
    params = "".join(f"          p{n}: {{pattern: 'a{n}'}}\n" for n in range(MAX_PATTERNS + 1))
    text = with_param("{pattern: a}").replace("          x:\n            {pattern: a}\n", params)
    with pytest.raises(ConfigError, match="pattern: more than 100 different patterns"):
        load_friends(written(tmp_path, text))


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "friends:\n  a: {queue: q}\n  b: {route: x}\n")
    with pytest.raises(ConfigError) as caught:
        load_friends(path)
    assert "friends.a.route" in str(caught.value)
    assert "friends.b.queue" in caught.value.hint


def test_a_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "friends.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="line 1: not UTF-8 at byte 3"):
        load_friends(path)


def test_a_file_that_cannot_be_looked_for_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    unreachable = tmp_path / ("long" * 100) / "friends.yaml"
    with pytest.raises(ConfigError, match=r"friends.yaml: cannot be read \(File name too long\)"):
        load_friends(unreachable)
    assert friends_path({"APP_PATH": str(unreachable.parent)}).is_relative_to(unreachable.parent)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = written(tmp_path, "a" * 2_500_000)
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        load_friends(path)


def test_the_path_is_the_named_one_then_the_apps_then_the_one_here(tmp_path: Path) -> None:
    assert friends_path({"KIMERA_FRIENDS": "/x.yaml", "APP_PATH": "/app"}) == Path("/x.yaml")
    assert friends_path({"APP_PATH": str(tmp_path)}) == Path("friends.yaml")
    (tmp_path / "friends.yaml").write_text("")
    assert friends_path({"APP_PATH": str(tmp_path)}) == tmp_path / "friends.yaml"
    inside = tmp_path / "app" / "config" / "friends.yaml"
    inside.parent.mkdir(parents=True)
    inside.write_text("")
    assert friends_path({"APP_PATH": str(tmp_path)}) == inside
    assert friends_path({}) == Path("friends.yaml")


def test_an_unknown_friend_is_reported_with_the_nearest_names() -> None:
    with pytest.raises(UnknownFriend) as caught:
        find_friend({"etl": 1, "reports": 2}, "etI")
    assert str(caught.value) == "No friend `etI`. Near: `etl`."


def test_variables_are_put_in_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPORTS_BROKER_URL", "redis://r/0")
    assert expand("${REPORTS_BROKER_URL}", "reports", os.environ) == "redis://r/0"
    monkeypatch.delenv("REPORTS_BROKER_URL")
    with pytest.raises(ConfigError, match="`reports`: environment variable REPORTS_BROKER_URL"):
        expand("${REPORTS_BROKER_URL}", "reports", os.environ)


def test_secret_parameters_are_found_in_a_mapping() -> None:
    entry = load_friends(REPO / "friends.yaml")["reports"].as_mapping()
    assert secret_params(entry, "render") == {"token"}
    assert secret_params(entry, "unheard_of") == frozenset()
