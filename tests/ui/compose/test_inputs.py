"""The editor of what a run asks for: inputs of every type."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.documents.document import Input as InputSpec
from kimera_tui.ui.compose.inputs_editor import InputsEditor
from tests.ui.compose.composing import call, composer, step_of


@pytest.mark.parametrize(
    ("typed", "spec"),
    [
        ({"type": "string"}, {}),
        (
            {"type": "string", "pattern": "[A-Z]{3}", "max_length": "3", "default": "EUR"},
            {"pattern": "[A-Z]{3}", "max_length": 3, "default": "EUR"},
        ),
        ({"type": "int", "required": "y", "min": "1", "max": "9"}, {"min": 1, "max": 9}),
        ({"type": "float", "default": "0.5"}, {"default": 0.5}),
        ({"type": "bool", "default": "yes"}, {"default": True}),
        ({"type": "date", "min": "2026-01-01"}, {"min": "2026-01-01"}),
        ({"type": "datetime", "default": "2026-01-01T12:00:00Z"}, {}),
        ({"type": "duration", "max": "1h30m"}, {"max": "1h30m"}),
        ({"type": "enum", "values": "eu, us", "default": "eu"}, {"values": ["eu", "us"]}),
        ({"type": "json", "default": '{"a": [1]}'}, {"default": {"a": [1]}}),
        ({"type": "secret", "from": "env:TOKEN"}, {"from_": "env:TOKEN"}),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else None,
)
async def test_an_input_of_each_type_is_added_with_what_belongs_to_it(
    typed: dict[str, str], spec: dict[str, Any]
) -> None:
    async with composer() as it:
        await it.keys("i", "a")
        await it.fill(name="value", description="what it is for", **typed)
        assert isinstance(it.app.screen, InputsEditor)
        assert "what it is for" in it.picture
        await it.keys("escape")
        added = it.document.inputs["value"]
        assert added.type == typed["type"]
        assert {name: getattr(added, name) for name in spec} == spec
        assert added.required == ("required" in typed)
        await it.keys("i", "e", "ctrl+r", "escape")
        assert it.document.inputs["value"] == added


WRONG: list[tuple[dict[str, str], str]] = [
    ({"name": "Big"}, "use up to 40 lowercase letters"),
    ({"name": ""}, "use up to 40 lowercase letters"),
    ({"name": "there"}, "Another input is called `there`."),
    ({"type": "number"}, "type: must be one of string, int,"),
    ({"type": "int", "default": "x"}, 'default: "x" is not an integer.'),
    ({"type": "int", "min": "low"}, 'min: "low" is not an integer.'),
    ({"type": "int", "min": "5", "max": "1"}, "min: is greater than `max`"),
    ({"type": "int", "min": "5", "default": "1"}, "must be at least 5"),
    ({"type": "enum"}, "values: is required for an enum"),
    ({"type": "enum", "values": "a", "default": "b"}, "default: must be one of a"),
    ({"type": "string", "values": "a"}, "values: is allowed for an enum only"),
    ({"type": "string", "pattern": "("}, "not a regular expression"),
    ({"type": "string", "max_length": "x"}, 'max_length: "x" is not an integer.'),
    ({"type": "date", "default": "soon"}, "default: must be a date such as 2026-01-31"),
    ({"type": "secret", "default": "s"}, "default: is not allowed for a secret"),
    ({"type": "string", "from": "env:X"}, "from: is allowed for a secret only"),
    ({"type": "secret", "from": "thin air"}, "from: "),
    ({"required": "often"}, 'required: "often" is not true or false.'),
]
"""What is typed into the form of an input called ``value``, and what that is told."""


async def test_an_input_that_can_not_be_keeps_its_form_open_with_the_sentence() -> None:
    async with composer(size=(160, 60)) as it:
        await it.put([call("echo.nothing")], inputs={"there": {}})
        await it.keys("i", "a")
        form = it.form
        before = {name: field.input.value for name, field in form.fields.items()}
        for typed, sentence in WRONG:
            assert sentence not in it.picture, typed
            await it.fill(**{"name": "value", **typed})
            assert it.app.screen is form, typed
            assert sentence in it.picture, typed
            assert list(it.document.inputs) == ["there"]
            for name, text in before.items():
                form.fields[name].input.value = text
            await it.keys()
        await it.keys("escape", "escape")
        assert list(it.document.inputs) == ["there"]


async def test_inputs_are_renamed_moved_and_deleted_and_one_undo_takes_it_all_back() -> None:
    async with composer() as it:
        await it.put(
            [call("calculator.add", kwargs={"a": "${{ inputs.one }}"})],
            inputs={"one": {"type": "int"}, "two": {}, "three": {}},
        )
        original = it.document
        await it.keys("i", "e")
        await it.fill(name="first")
        await it.keys("J", "J", "J", "g", "d", "escape")
        assert list(it.document.inputs) == ["three", "first"]
        assert step_of(it).kwargs == {"a": "${{ inputs.first }}"}
        await it.keys("u")
        assert it.document is original
        assert it.document.inputs == {
            "one": InputSpec(type="int"),
            "two": InputSpec(),
            "three": InputSpec(),
        }


async def test_an_editor_of_inputs_that_is_closed_unused_is_no_edit() -> None:
    async with composer() as it:
        await it.keys("i", "d", "e", "escape")
        assert not it.app.state.composer.undo()
