"""``kimera-tui replay``: a past run once more, whole or in part, as it was or with other values."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.given import INPUT, ask_for_secrets, inputs_of, overrides_of
from kimera_tui.cli.output import fail, narrate, perform
from kimera_tui.cli.runs import find_run, report
from kimera_tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kimera_tui.cli.parts import Parts
    from kimera_tui.workflows.launch import Given
    from kimera_tui.workflows.replay import Wish


@click.command()
@click.argument("run")
@click.option("--from-failed", "mode", flag_value="from_failed", help="Reuse what is done.")
@click.option("--from", "from_step", default="", metavar="STEP", help="Id or path of the first.")
@click.option("--only", "only_step", default="", metavar="STEP", help="Id or path of the only one.")
@INPUT
@click.option("--set", "sets", multiple=True, metavar="STEP.NAME=VALUE", help="An argument.")
@click.option("--dry-run", is_flag=True, help="Say what would run and be reused; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="The new run's end as one JSON object.")
def replay(
    run: str,
    mode: str | None,
    from_step: str,
    only_step: str,
    inputs: tuple[str, ...],
    sets: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run RUN again, as a new run, and wait for its end.

    What -i and --set change runs again, and so does everything that it feeds.
    """
    if sum(bool(way) for way in (mode, from_step, only_step)) > 1:
        fail(UsageError("Choose one of --from-failed, --from and --only."))
    how, path = mode or "again", ""
    if from_step or only_step:
        how, path = ("from_step", from_step) if from_step else ("only_step", only_step)
    perform(_replay(run, (how, path), (inputs, sets), dry_run=dry_run, as_json=as_json))


async def _replay(
    wanted: str,
    way: tuple[str, str],
    words: tuple[Sequence[str], Sequence[str]],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    from kimera_tui.cli.parts import Parts
    from kimera_tui.workflows.replay import Wish

    parts = Parts()
    await parts.open_journal()
    try:
        row = await find_run(parts, wanted)
        given = await _given(parts, row.run_id, words[0], dry_run=dry_run)
        wish = Wish(*way, overrides_of(words[1]), given)
        plan = await parts.replay_plan(row.run_id, wish)
        narrate(plan.sentence)
        if dry_run:
            leaves = dict(plan.plan.leaves())
            for path in plan.will_run:
                click.echo(f"{path or '0'}  {leaves[path].friend}.{leaves[path].task_name}")
            return 0
        return await _to_its_end(parts, row.run_id, wish, as_json=as_json)
    finally:
        await parts.close()


async def _to_its_end(parts: Parts, past: str, wish: Wish, *, as_json: bool) -> int:
    from kimera_tui.runs.book import RunBook
    from kimera_tui.runs.masking import masked

    with parts.bus.subscribe(1_000_000) as mailbox:
        await parts.start()
        run_id = await parts.replay(past, wish)
        runner = await parts.runner()
        await asyncio.gather(runner.result(run_id), return_exceptions=True)
        book = RunBook()
        for event in mailbox.drain():
            book.apply(masked(event, book))
    narrate(f"run {run_id}")
    return report(book.runs[run_id], as_json)


async def _given(parts: Parts, run_id: str, words: Sequence[str], *, dry_run: bool) -> Given:
    """The inputs that are given anew, and the secrets that are asked for again."""
    from kimera_tui.workflows.header import document_from
    from kimera_tui.workflows.launch import Given, beginning_of

    started = beginning_of(await parts.events_of(run_id))
    if not started.header:
        if words:
            raise UsageError("The run has no inputs: it was not started from a workflow.")
        return Given()
    document = document_from(started.header)
    prompted = {} if dry_run else ask_for_secrets(document)
    return Given(inputs_of(document, words), prompted)
