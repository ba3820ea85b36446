"""Saving: whatever a document holds, what is written is read as the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kimera_tui.documents import edits
from kimera_tui.documents.document import Document, TaskStep
from kimera_tui.documents.dump import plain_document
from kimera_tui.documents.parse import read_formed
from kimera_tui.documents.save import equal, text_of
from kimera_tui.errors import ConfigError
from tests.documents.cases import EVERYTHING, EXAMPLES, many
from tests.documents.strategies import ODD_TEXTS, documents

COMMENTED = {"everything": EVERYTHING, **{path.name: path.read_text() for path in EXAMPLES}}


def plain_of(text: str) -> dict[str, Any]:
    return plain_document(read_formed(text, "f"))


def says(text: str, document: Document) -> bool:
    return equal(plain_of(text), plain_document(document))


many_of_them = settings(suppress_health_check=[HealthCheck.too_slow])


@many_of_them
@given(documents)
def test_what_is_written_is_read_as_the_same(document: Document) -> None:
    text = text_of(document)
    assert says(text, document)
    assert text_of(read_formed(text, "f"), text) == text


@many_of_them
@given(documents, documents)
def test_over_any_other_text_it_is_read_as_the_same_too(one: Document, other: Document) -> None:
    assert says(text_of(other, text_of(one)), other)


@pytest.mark.parametrize("name", COMMENTED)
@given(document=documents)
def test_over_a_text_by_hand_it_is_read_as_the_same_too(name: str, document: Document) -> None:
    assert says(text_of(document, COMMENTED[name]), document)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_an_odd_text_is_read_as_it_was_wherever_it_stands(text: str) -> None:
    step = TaskStep(id="a", task="b", args=[text, [text]], kwargs={text: text, "k": {text: [text]}})
    document = Document(name=text[:200] or "x", description=text, steps=[step])
    assert says(text_of(document), document)


# Large and impossible


def test_two_thousand_steps_are_written_over_their_own_text() -> None:
    text = many(2000)
    document = read_formed(text, "f")
    document, _ = edits.delete(document, ("steps", 1000))
    new = text_of(document, text)
    assert new == text.replace("  - {id: step_1000, task: echo.value}\n", "")


@pytest.mark.parametrize(
    "value",
    ["\ud800", "x" * (256 * 1024 + 1), [0] * 50_000, float("nan"), 10**301, {"k" * 1100: 1}],
)
def test_what_a_file_cannot_hold_is_refused_and_nothing_is_made_up(value: Any) -> None:
    document = Document(name="x", steps=[TaskStep(id="a", task="b", kwargs={"v": value})])
    with pytest.raises(ConfigError, match="Cannot save: "):
        text_of(document)


def test_an_old_text_that_cannot_be_taken_apart_is_written_anew() -> None:
    document = read_formed(EXAMPLES[0].read_text(), "f")
    for old in ("nonsense: [", "{kimera: 1, name: x, steps: [{id: a, task: b}]}", "\0", "- - a"):
        assert text_of(document, old) == text_of(document)
