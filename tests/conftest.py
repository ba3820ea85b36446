"""What every test stands on: nothing of the machine's own settings, one time zone."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# Textual reads these when it is imported.
for name in list(os.environ):
    if name == "NO_COLOR" or name.startswith("TEXTUAL"):
        del os.environ[name]
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TZ"] = "UTC"
time.tzset()

for name in list(os.environ):
    if name.startswith(("KIMERA_", "CELERY")) and name != "KIMERA_UPDATE_PICTURES":
        del os.environ[name]
for name in ("BROKER_URL", "RESULT_BACKEND", "APP_PATH"):
    os.environ.pop(name, None)
os.environ["KIMERA_HOME"] = tempfile.mkdtemp(prefix="kimera-home-")
atexit.register(shutil.rmtree, os.environ["KIMERA_HOME"], ignore_errors=True)

# Started under nohup, or in the background of a script, tests are to ignore some signals. That
# would be handed down to programs that are tested with them; a handler is not.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

REPO = Path(__file__).parent.parent

EXAMPLES, MOST_EXAMPLES = 30, 1000
"""How many examples Hypothesis tries, and how many in the long form: ``make fuzz``."""
ONE_BY_ONE = ("tests/ui", "tests/pictures")
"""Folders whose tests share nothing, so that each can go to another process."""
SLOW_FIRST = (
    "tests/cluster",
    "tests/torture",
    "tests/process/threaded",
    "tests/stress",
    "tests/cli",
    "tests/embedded",
    "tests/process",
    "tests/terminal",
)
"""Folders whose tests take long together; they begin first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", type=float, help="take this share of the long form; 1 is all of it")


def pytest_configure(config: pytest.Config) -> None:
    share = config.getoption("--share")
    examples = EXAMPLES if share is None else max(EXAMPLES, round(MOST_EXAMPLES * share))
    settings.register_profile("kimera", max_examples=examples, deadline=None)
    settings.load_profile("kimera")


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def share(request: pytest.FixtureRequest) -> float:
    """The share of the long form of a stress that is to be taken."""
    return float(request.config.getoption("--share") or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""

    def place(item: pytest.Item) -> int:
        begins = (n for n, folder in enumerate(SLOW_FIRST) if item.nodeid.startswith(folder))
        return next(begins, len(SLOW_FIRST))

    items.sort(key=place)


IN_PARTS = {"tests/cluster/test_traps.py": 3}
"""Modules whose tests wait for long, and how many processes share them."""


class Grouped(LoadScopeScheduling):
    """Keeps a module in one process, where its tests share servers."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        if module.startswith(ONE_BY_ONE):
            return nodeid
        if (parts := IN_PARTS.get(module)) is not None:
            return f"{module} {zlib.crc32(nodeid.encode()) % parts}"
        rabbit = "tests/process/threaded"  # starts once for all of them
        return rabbit if module.startswith(rabbit) else module


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return Grouped(config, log)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: many tests wait for servers and workers."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def runtime_dir() -> Iterator[Path]:
    """A runtime directory of the session's own, with a short path."""
    directory = Path(tempfile.mkdtemp(prefix="kt-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def broker_url(runtime_dir: Path) -> Iterator[str]:
    """One embedded broker that stays up for the session; what tests start joins it.

    Its worker is not alone there, as on most brokers.
    """
    from kimera_tui.embedded.broker import EmbeddedBroker
    from tests.process.redis.servers import unrelated_worker

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIMERA_RUNTIME_DIR", str(runtime_dir))
        broker = EmbeddedBroker()
        info = broker.start(timeout=60)
    counts = info.url.replace("redis+socket:", "unix:", 1)  # as redis-py spells it
    with unrelated_worker(info.url, info.url, counts):
        yield info.url
    broker.stop()
