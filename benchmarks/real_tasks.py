"""The tasks of the benchmarks' real worker."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

app = Celery("lab", broker=os.environ["LAB_BROKER"], backend=os.environ["LAB_BACKEND"])


@app.task(name="lab.tasks.noop")
def noop(*args: Any, **kwargs: Any) -> None:
    return None
