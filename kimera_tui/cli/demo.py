"""``kimera-tui demo``: the embedded broker alone, for trying the library against it."""

from __future__ import annotations

import asyncio
import sys

import click

from kimera_tui.cli.output import narrate, perform
from kimera_tui.console.friends_file import DEMO_FRIENDS


@click.command(short_help="Run the embedded broker alone.")
def demo() -> None:
    """Run the embedded broker and its demo workers until ctrl+c.

    Prints what to export, so that programs of your own can use them.
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
        narrate(f"{info.server} is up; ctrl+c ends it.")
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            narrate("ended")
        return 0
    finally:
        await shielded(asyncio.to_thread(broker.stop))
