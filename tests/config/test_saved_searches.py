"""filters.yaml: read strictly, written whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_tui.config.paths import config_dir
from kimera_tui.config.saved_searches import filter_name, filters_file, load_filters, save_filters
from kimera_tui.errors import ConfigError, UsageError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "filters.yaml"
    path.write_text(text)
    return path


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_missing_or_empty_file_has_no_filters(tmp_path: Path) -> None:
    assert load_filters(tmp_path / "nowhere.yaml") == {}
    assert load_filters(written(tmp_path, "")) == {}
    assert load_filters(written(tmp_path, "filters: {}")) == {}


def test_filters_are_read_as_they_stand_in_the_file(tmp_path: Path) -> None:
    text = "filters:\n  bad: state:failed since:1d\n  mine: '\"a b\" or (c d)'\n"
    assert list(load_filters(written(tmp_path, text)).items()) == [
        ("bad", "state:failed since:1d"),
        ("mine", '"a b" or (c d)'),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("filter: {}\n", "line 1: filter: unknown key 'filter'. Near: `filters`."),
        ("filters:\n  a: 7\n", "line 2: filters.a: must be text; quote it."),
        ("filters:\n  a: ''\n", "line 2: filters.a: is empty."),
        ("filters:\n  a: b\n  'c d': e\n", "line 3: filters.c d: a filter's name has only letters"),
        ("filters: [a]\n", "line 1: filters: must be a mapping"),
        ("filters:\n", "line 1: filters: must be a mapping"),
        ("- a\n", "line 1: the file: must be a mapping"),
        ("filters:\n  a: b\n  a: c\n", "line 3: key `a` is given twice"),
        ("filters:\n  7: b\n", "line 2: key `7` must be text; quote it."),
        ("filters: {\n", "line 2: did not find expected node content."),
    ],
)
def test_a_malformed_file_is_an_error_that_names_file_line_and_key(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_filters(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


NAMES = st.from_regex(r"[\w.-]{1,40}", fullmatch=True).filter(lambda name: name.isprintable())
LINES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), min_size=1
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, LINES))
def test_what_is_saved_is_read_again(filters: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config" / "filters.yaml"
        save_filters(path, filters)
        assert load_filters(path) == filters


def test_file_and_folder_are_the_users_own_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "config" / "filters.yaml"
    save_filters(path, {"a": "b"})
    save_filters(path, {"a": "c"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert names_in(path.parent) == ["filters.yaml"]
    assert load_filters(path) == {"a": "c"}


def test_a_file_that_cannot_be_looked_for_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"filters.yaml: cannot be read \(File name too long\)"):
        load_filters(tmp_path / ("long" * 100) / "filters.yaml")


def test_the_folder_may_be_a_link(tmp_path: Path) -> None:
    folder, link = tmp_path / "dotfiles" / "kimera", tmp_path / "config"
    link.symlink_to(folder)
    save_filters(link / "filters.yaml", {"a": "b"})
    assert link.is_symlink()
    assert load_filters(folder / "filters.yaml") == {"a": "b"}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_to_itself_is_reported(tmp_path: Path) -> None:
    link = tmp_path / "config"
    link.symlink_to(link)
    with pytest.raises(ConfigError, match=r"filters.yaml: cannot be written"):
        save_filters(link / "filters.yaml", {"a": "b"})


def test_a_link_to_a_folder_of_somebody_elses_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").symlink_to(tmp_path / "theirs")
    monkeypatch.setattr("os.getuid", lambda: 4711)
    with pytest.raises(ConfigError, match="theirs is not a folder of yours"):
        save_filters(tmp_path / "config" / "filters.yaml", {"a": "b"})


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.yaml"
    link = tmp_path / "config" / "filters.yaml"
    link.parent.mkdir()
    link.symlink_to(real)
    save_filters(link, {"a": "b"})
    assert link.is_symlink()
    assert load_filters(real) == {"a": "b"}


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "filters.yaml"
    save_filters(path, {"a": "b"})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\)"):
        save_filters(path, {"a": "c"})
    assert names_in(tmp_path) == ["filters.yaml"]
    assert load_filters(path) == {"a": "b"}


@pytest.mark.parametrize(("typed", "name"), [("bad", "bad"), (" @bad ", "bad"), ("a.b-c", "a.b-c")])
def test_a_name_may_be_typed_with_its_sign(typed: str, name: str) -> None:
    assert filter_name(typed) == name


@pytest.mark.parametrize("typed", ["", "@", "a b", "a:b", "a(b", "x" * 41])
def test_no_filter_has_a_name_that_the_search_line_could_not_have(typed: str) -> None:
    with pytest.raises(UsageError, match="only letters, digits"):
        filter_name(typed)


def test_the_file_is_in_the_config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    assert filters_file() == tmp_path / "config" / "filters.yaml"
    monkeypatch.delenv("KIMERA_HOME")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_dir() == tmp_path / "kimera-tui"
