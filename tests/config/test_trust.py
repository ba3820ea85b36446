"""What files may read that were merely found: allowed once, for this file and this request."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from kimera_tui.config.friends import Friend, accesses_of
from kimera_tui.config.trust import Access, NotTrusted, Trust
from kimera_tui.errors import ConfigError

TOKEN = Access("variable", "TOKEN", "etl.load")
NETRC = Access("file", "/home/me/.netrc", "")


def test_nothing_is_allowed_before_it_was_allowed(tmp_path: Path) -> None:
    trust, file = Trust(tmp_path / "own" / "trust.json"), tmp_path / "w.kimera.yaml"
    assert trust.missing(file, [TOKEN, NETRC]) == [TOKEN, NETRC]
    trust.allow(file, [TOKEN])
    assert trust.missing(file, [TOKEN, NETRC]) == [NETRC]
    assert trust.missing(tmp_path / "other.kimera.yaml", [TOKEN]) == [TOKEN]
    assert trust.missing(file, [Access("variable", "TOKEN", "evil.load")]) != []


def test_what_a_file_no_longer_asks_for_is_no_longer_allowed(tmp_path: Path) -> None:
    trust, file = Trust(tmp_path / "trust.json"), tmp_path / "w"
    trust.allow(file, [TOKEN])
    trust.allow(file, [NETRC])
    assert trust.missing(file, [TOKEN, NETRC]) == [TOKEN]


def test_a_file_is_the_same_by_whatever_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = Trust(tmp_path / "trust.json")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    trust.allow(tmp_path / "real", [TOKEN])
    monkeypatch.chdir(tmp_path)
    assert trust.missing(Path("link"), [TOKEN]) == []
    assert trust.forget(Path("link"))
    assert not trust.forget(Path("link"))
    assert trust.files() == {}


def test_the_permissions_are_private_under_any_umask(tmp_path: Path) -> None:
    old_umask = os.umask(0)
    try:
        Trust(tmp_path / "own" / "trust.json").allow(tmp_path / "w", [TOKEN])
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "own" / "trust.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"a": [["variable"]]}}', '{"files": 1}'])
def test_damaged_permissions_allow_nothing_and_say_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"trust\.json: is damaged") as caught:
        Trust(path).missing(tmp_path / "w", [TOKEN])
    assert caught.value.hint
    with pytest.raises(ConfigError):
        Trust(path).allow(tmp_path / "w", [TOKEN])
    assert path.read_text() == text


def test_what_is_not_allowed_is_reported_with_how_to_allow_it() -> None:
    error = NotTrusted(Path("w.kimera.yaml"), [TOKEN, NETRC])
    assert str(error) == (
        "w.kimera.yaml is not trusted:"
        " reads the environment variable TOKEN and sends it to etl.load."
    )
    assert error.hint.splitlines() == [
        "Reads /home/me/.netrc and sends it nowhere.",
        "If that is what you want: kimera-tui trust w.kimera.yaml",
    ]
    many = NotTrusted(Path("w"), [Access("variable", f"N{n}", "") for n in range(100)])
    assert "and 79 more" in many.hint


def test_friends_ask_for_the_variables_within_their_urls() -> None:
    friends = {
        "plain": Friend(route="a", queue="a", broker="redis://h/0"),
        "asking": Friend(
            route="a", queue="a", broker="redis://u:${TOKEN}@h/0", backend="redis://${HOST}/1"
        ),
    }
    assert accesses_of(friends) == [
        Access("variable", "HOST", "redis://${HOST}/1, the result backend of friend `asking`"),
        Access("variable", "TOKEN", "redis://u:••••@h/0, the broker of friend `asking`"),
    ]


def test_the_permissions_are_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    Trust(path).allow(tmp_path / "w", [NETRC, TOKEN, TOKEN])
    file = os.path.realpath(tmp_path / "w")
    assert json.loads(path.read_text()) == {
        "files": {file: [["file", "/home/me/.netrc", ""], ["variable", "TOKEN", "etl.load"]]}
    }
