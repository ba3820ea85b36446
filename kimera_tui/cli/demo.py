"""``kimera-tui demo``: run the embedded broker alone, to try the library with it."""

from __future__ import annotations

import asyncio
import sys

import click

from kimera_tui.cli.output import narrate, perform
from kimera_tui.console.friends import DEMO_FRIENDS


@click.command(short_help="Run the embedded broker alone.")
def demo() -> None:
    """Run the embedded broker and its demo workers until ctrl+c.

    Prints the variables to export for programs of your own.
    """
    perform(_demo())


async def _demo() -> int:
    from kimera_tui.embedded.broker import EmbeddedBroker
    from kimera_tui.process.loop.shield import shielded

    broker = EmbeddedBroker()
    try:
        info = await asyncio.to_thread(broker.start)
        click.echo(f"export CELERY=1 BROKER_URL={info.url} KIMERA_FRIENDS={DEMO_FRIENDS}")
        sys.stdout.flush()
        narrate(f"{info.server} is up; press ctrl+c to stop it.")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            narrate("ended")
        return 0
    finally:
        await shielded(asyncio.to_thread(broker.stop))
