"""The demo worker: real Celery with prefork, started without Celery's command line.

This halves the time to the first task: the command line loads a shell, and the start-up handshake
waits a second for other workers.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    # For a source tree. The script's own folder must not be on the module path.
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from celery import Celery
from celery.signals import worker_process_init
from kombu import Queue

from kimera_tui.embedded import services

WORKER_NAME: Final = "demo@kimera"

_OTHER_WORKERS_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1


def make_app(url: str) -> Celery:
    """Create the Celery app of the demo services for the broker at a URL."""
    app = Celery("kimera-demo", broker=url, backend=url)
    app.conf.update(
        accept_content=["json"],
        result_accept_content=["json"],
        task_queues=[Queue(name) for name in services.QUEUES],
        task_default_queue=services.QUEUES[0],
        task_track_started=True,
        task_send_sent_event=False,
        result_extended=True,
        worker_send_task_events=True,
        # Otherwise queues look empty while their tasks wait inside the worker.
        worker_prefetch_multiplier=1,
        worker_pool_restarts=True,
        worker_redirect_stdouts=False,
        # The worker starts together with its server and may be first.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    app.set_current()
    app.set_default()
    return app


def restore_unacked(app: Celery) -> None:
    """Requeue the unfinished tasks of a killed worker, unless another worker is running.

    kombu would do this only after the visibility timeout of one hour.
    """
    if app.control.ping(timeout=_OTHER_WORKERS_SECONDS):
        return
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        with channel.conn_or_acquire() as client:
            for tag in client.hkeys(channel.unacked_key):
                channel.qos.restore_by_tag(tag.decode() if isinstance(tag, bytes) else tag, client)


def end_with(lifeline: int) -> None:
    """End this process, and the group it leads, when the pipe's other end closes."""

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        if os.getpgid(0) == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()


def bind_pool_to(parent: int, lifeline: int) -> None:
    """End every pool process with the worker: a busy one would not notice by itself."""

    def bind(**_: object) -> None:
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
        end_with(lifeline)

    worker_process_init.connect(bind, weak=False)


def main() -> None:
    """Run the worker until it is stopped or its supervisor is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--lifeline", type=int, help="descriptor of the supervisor's pipe")
    parser.add_argument("--restore", action="store_true", help="requeue unfinished tasks first")
    options = parser.parse_args()
    if options.lifeline is not None:
        end_with(options.lifeline)
        bind_pool_to(os.getpid(), options.lifeline)
    app = make_app(options.url)
    if options.restore:
        restore_unacked(app)
    worker: Any = app.Worker(
        hostname=WORKER_NAME,
        pool="prefork",
        concurrency=options.concurrency,
        task_events=True,
        loglevel="WARNING",
        quiet=True,
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    raise SystemExit(worker.exitcode or 0)


if __name__ == "__main__":
    main()
