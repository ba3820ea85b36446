"""``kimera-tui demo``: the embedded broker alone, for trying the library against it."""

from __future__ import annotations

import signal
import sys

import click

from kimera_tui.cli.friends_file import DEMO_FRIENDS
from kimera_tui.cli.output import fail, narrate
from kimera_tui.errors import KimeraError


@click.command()
def demo() -> None:
    """Run the embedded broker and its demo workers until ctrl+c.

    Prints what to export, so that programs of your own can use them.
    """
    from kimera_tui.embedded.broker import EmbeddedBroker

    broker = EmbeddedBroker()
    try:
        info = broker.start()
    except KimeraError as error:
        fail(error)
    click.echo(f"export CELERY=1 BROKER_URL={info.url} KIMERA_FRIENDS={DEMO_FRIENDS}")
    sys.stdout.flush()
    narrate(f"{info.server} is up; ctrl+c ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        narrate("ended")
    finally:
        broker.stop()
