"""``kimera-tui compare``: two runs, compared step by step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kimera_tui.cli.json_output import compare as objects
from kimera_tui.cli.output import data, narrate, perform

if TYPE_CHECKING:
    from kimera_tui.runs.compare.comparison import Comparison, StepPair
    from kimera_tui.runs.compare.value_diff import Change

DIFFERENT = 1
"""Exit code for runs that differ, the same as diff's."""


@click.command(short_help="Compare two runs step by step.")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="The comparison as one JSON object.")
def compare(one: str, other: str, as_json: bool) -> None:
    """Compare one RUN (an id or the beginning of one) with another, step by step.

    Exit codes: 0 only timings differ, 1 something else differs, 2 usage.
    """
    perform(_compare(one, other, as_json))


async def _compare(one: str, other: str, as_json: bool) -> int:
    from kimera_tui.console.console import build_console
    from kimera_tui.runs.compare.comparison import compare as compared
    from kimera_tui.runs.compare.text import comparison_lines

    async with build_console(say=narrate) as console:
        await console.connection.open_journal()
        rows = [await console.runs.find(prefix) for prefix in (one, other)]
        comparison = compared(*[await console.journal.run(row.run_id) for row in rows])
    if as_json:
        data(_public(comparison), as_json=True)
    else:
        for line in comparison_lines(comparison):
            click.echo(line)
    return DIFFERENT if comparison.differs else 0


def _public(comparison: Comparison) -> objects.Comparison:
    first = comparison.first
    return objects.Comparison(
        one=objects.ComparedRun(**asdict(comparison.one)),
        other=objects.ComparedRun(**asdict(comparison.other)),
        differs=comparison.differs,
        first=None if first is None else first.name,
        inputs=[_public_change(change) for change in comparison.inputs],
        workflow=list(comparison.workflow),
        steps=[_public_pair(pair) for pair in comparison.steps],
    )


def _public_pair(pair: StepPair) -> objects.ComparedPair:
    return objects.ComparedPair(
        step=pair.name,
        differs=pair.differs,
        one=None if pair.one is None else objects.ComparedStep(**asdict(pair.one)),
        other=None if pair.other is None else objects.ComparedStep(**asdict(pair.other)),
        waited_longer=pair.waited_longer,
        ran_longer=pair.ran_longer,
        changes=[_public_change(change) for change in pair.changes],
    )


def _public_change(change: Change) -> objects.Change:
    return objects.Change(
        path=change.path,
        kind=change.kind,
        old=change.old,
        new=change.new,
        delta=change.delta,
        lines=list(change.lines),
    )
