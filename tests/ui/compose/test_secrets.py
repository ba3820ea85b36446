"""Secrets that are typed into a call: never in the document, never on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.document import Document, Input, TaskStep
from kimera_tui.errors import UsageError
from kimera_tui.ui.compose.secrets import without_secrets
from kimera_tui.ui.friends.task_form import TaskForm
from kimera_tui.ui.widgets.unmarked import PlainTree
from tests.ui.compose.composing import Composing, call, composer, step_of
from tests.ui.stage import settle

PARAMS = {"who": Param(), "pin": Param(secret=True), "number": Param(type="int", secret=True)}
FRIENDS = {"bank": Friend(route="bank", queue="bank", tasks={"pay": TaskInfo(params=PARAMS)})}


def hidden(kwargs: dict[str, Any], *inputs: str, **more: Any) -> tuple[list[str], dict[str, Any]]:
    """The inputs of a document with such a call, and the call's arguments."""
    document = Document(name="it", inputs={name: Input() for name in inputs})
    step = TaskStep(id="pay", task="bank.pay", kwargs=kwargs, **more)
    changed, found = without_secrets(document, step, ["pin", "number"])
    new = [name for name in changed.inputs if name not in inputs]
    assert all(changed.inputs[name].type == "secret" for name in new)
    assert all(changed.inputs[name].from_ == "prompt" for name in new)
    return new, found.kwargs


@pytest.mark.parametrize(
    ("kwargs", "inputs", "left"),
    [
        ({"who": "me"}, [], {"who": "me"}),
        ({"pin": "s3cret"}, ["pin_2"], {"pin": "${{ inputs.pin_2 }}"}),
        ({"number": 1234}, ["number"], {"number": "${{ inputs.number | int }}"}),
        ({"API-Key": "s3cret"}, ["api_key"], {"API-Key": "${{ inputs.api_key }}"}),
        (
            {"to": [{"token": "a"}, {"token": "b"}]},
            ["token", "token_2"],
            {"to": [{"token": "${{ inputs.token }}"}, {"token": "${{ inputs.token_2 }}"}]},
        ),
        ({"pin": "${{ inputs.pin }}"}, [], {"pin": "${{ inputs.pin }}"}),
        ({"pin": "", "token": None}, [], {"pin": "", "token": None}),
    ],
)
def test_a_secret_of_a_call_becomes_an_input_of_a_free_name(
    kwargs: dict[str, Any], inputs: list[str], left: dict[str, Any]
) -> None:
    assert hidden(kwargs, "pin") == (inputs, left)


def test_a_secret_that_no_look_up_can_stand_for_is_refused_without_its_value() -> None:
    with pytest.raises(
        UsageError, match=r"`pin` is secret, so it must be a text or a number"
    ) as error:
        hidden({"pin": ["s3cret"]})
    assert "s3cret" not in str(error.value)
    with pytest.raises(UsageError, match="is allowed in kwargs only") as error:
        hidden({}, args=[{"token": "s3cret"}])
    assert "s3cret" not in str(error.value)


async def test_a_secret_of_a_form_is_asked_for_at_each_run_and_not_in_the_saved_file(
    tmp_path: Path,
) -> None:
    async with composer(tmp_path) as it:
        await it.keys("1")
        screen = it.app.screen
        tree = screen.query_one("#friends-tree", PlainTree)
        leaves = [leaf for friend in tree.root.children for leaf in friend.children]
        tree.move_cursor(next(leaf for leaf in leaves if leaf.data == ("reports", "render")))
        await settle(it.pilot)
        form = screen.query_one(TaskForm)
        form._params["token"].input.value = "hunter2-canary"
        await it.keys("ctrl+t")
        assert "as step 1. Each run asks for it, the file does not hold it: token." in it.toasts
        await it.keys("2")
        assert step_of(it).kwargs["token"] == "${{ inputs.token }}"
        assert it.document.inputs["token"].type == "secret"
        await it.keys("ctrl+s")
        await it.fill(name="nightly")
        assert "hunter2" not in (tmp_path / "nightly.kimera.yaml").read_text()
        assert "hunter2" not in repr(vars(it.app.state.composer))
        await it.keys("r")
        assert it.form.fields["token"].input.password


async def compose_payment(it: Composing, **kwargs: Any) -> None:
    it.stage.friends.clear()
    it.stage.friends.update(FRIENDS)
    await it.put([call("bank.pay", kwargs=kwargs)])


async def test_what_a_friend_calls_secret_is_masked_in_the_tree() -> None:
    async with composer() as it:
        await compose_payment(it, who="me", pin="s3cret")
        assert "who=me, pin=••••" in it.picture
        assert "s3cret" not in it.picture


async def test_a_secret_typed_into_a_steps_form_is_asked_for_instead_of_saved() -> None:
    async with composer() as it:
        await compose_payment(it, who="me")
        await it.keys("down", "down", "e")
        await it.fill(param__pin="s3cret")
        assert step_of(it).kwargs == {"who": "me", "pin": "${{ inputs.pin }}"}
        assert "Each run asks for it, the file does not hold it: pin." in it.toasts
        await it.keys("u", "u")
        assert step_of(it).kwargs == {"who": "me"}
        assert it.document.inputs == {}


async def test_a_secret_that_a_file_holds_already_is_not_touched_by_its_form() -> None:
    async with composer() as it:
        await compose_payment(it, who="me", pin="s3cret")
        await it.keys("e")
        await it.fill(param__who="you")
        assert step_of(it).kwargs == {"who": "you", "pin": "s3cret"}
        assert it.document.inputs == {}
