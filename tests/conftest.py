"""What every test stands on: nothing of the machine's own settings, one time zone."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from hypothesis import settings

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

# How many examples Hypothesis tries; ``make fuzz`` takes the long profile.
settings.register_profile("default", max_examples=30, deadline=None)
settings.register_profile("long", max_examples=300, deadline=None)
settings.load_profile("default")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many tests wait for servers and workers."""
    return (os.cpu_count() or 1) + 1
