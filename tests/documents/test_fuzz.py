"""Broken documents and templates by the hundred; ``make fuzz`` takes ten thousand of each."""

from __future__ import annotations

import pytest

from tests.documents import fuzz
from tests.documents.cases import CAPS


def test_whatever_a_file_holds_it_is_read_or_refused_in_clean_sentences() -> None:
    for tally in fuzz.tallies(500):
        assert not tally.unclean, tally.unclean
        assert len(tally.outcomes) >= 2, tally.outcomes  # the mistakes are not all of one kind


@pytest.mark.parametrize("name", CAPS)
def test_what_is_made_to_hurt_is_read_or_refused(name: str) -> None:
    assert fuzz.read(CAPS[name]()) in ("right", "wrong", "malformed")


def test_a_fuzz_that_finds_something_says_so() -> None:
    tally = fuzz.Tally("cases", -1)
    tally.take("one", lambda: fuzz.read("kimera: 1"))
    tally.take("two", lambda: str(1 / 0))
    assert tally.outcomes == {"wrong": 1, "UNCLEAN": 1}
    assert tally.unclean == ["two: ZeroDivisionError: division by zero"]
    assert len(tally.over) == 2
    assert tally.summary().startswith("cases: 2 cases: 1 wrong, 1 UNCLEAN; worst")
