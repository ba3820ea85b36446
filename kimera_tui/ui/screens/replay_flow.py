"""From the wish to run something again to the run: the way, what it asks for, and off."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.runs.book import RunBook, RunState
from kimera_tui.runs.state import StepState
from kimera_tui.ui.screens.arguments_form import arguments_form
from kimera_tui.ui.screens.inputs_form import asked_secrets, run_form
from kimera_tui.ui.screens.replay import AskReplay, Way
from kimera_tui.workflows.document import Document
from kimera_tui.workflows.header import document_from
from kimera_tui.workflows.replay import Wish

if TYPE_CHECKING:
    from kimera_tui.ui.app import KimeraApp


async def ask_and_replay(app: KimeraApp, run: RunState, step: StepState | None) -> None:
    """Ask how a run is to be run again, and run it.

    Args:
        app: The console; this must be called from one of its workers.
        run: The past run.
        step: The step that is selected in it, if any.
    """
    services = app.services
    way = await app.push_screen_wait(
        AskReplay(run, step, lambda wish: services.replay_plan(run.run_id, wish))
    )
    wish = await _filled(app, run, step, way) if way is not None else None
    if wish is not None:
        await app.acts.replay(run.run_id, wish)


async def read_run(app: KimeraApp, run_id: str) -> RunState | None:
    """A run as the journal has it; None for one that it hasn't, KimeraError if it can't be read."""
    events, book = await app.services.events_of(run_id), RunBook()
    await asyncio.to_thread(book.apply_all, events)
    return book.runs.get(run_id)


async def replay_past(app: KimeraApp, run_id: str) -> None:
    """The same for a run that is read from the journal first."""
    try:
        run = await read_run(app, run_id)
    except KimeraError as error:
        app.complain(str(error))
        return
    if run is None:
        app.complain("That run is no longer in the journal.")
    elif run.ended is None:
        app.complain("Its last run has not ended: it can be replayed when it has.")
    else:
        await ask_and_replay(app, run, None)


async def _filled(app: KimeraApp, run: RunState, step: StepState | None, way: Way) -> Wish | None:
    """The wish with what it asks for; None where that is not given."""
    wish = way.wish
    if way.asks == "arguments" and step is not None:
        arguments = await app.push_screen_wait(arguments_form(step))
        return None if arguments is None else replace(wish, overrides={step.path: arguments})
    document = document_of_run(run)
    if document is None or not (way.asks == "inputs" or asked_secrets(document)):
        return wish
    shown = document if way.asks == "inputs" else secrets_only(document)
    given = await app.push_screen_wait(
        run_form(shown, run.inputs, "Replay", "Run", filled=way.asks == "inputs")
    )
    return None if given is None else replace(wish, given=given)


def document_of_run(run: RunState) -> Document | None:
    """What a run's document says besides its steps; None for plain calls."""
    if not run.header:
        return None
    try:
        return document_from(run.header)
    except UsageError:  # written by another version
        return None


def secrets_only(document: Document) -> Document:
    """The document with those inputs alone that are asked for at each start."""
    inputs = {name: document.inputs[name] for name in asked_secrets(document)}
    return document.model_copy(update={"inputs": inputs})
