"""The tasks of the torture's worker: each execution is counted on a server of its own."""

from __future__ import annotations

import os

import redis
from celery import Celery

app = Celery("torture", broker=os.environ["LAB_BROKER"], backend=os.environ["LAB_BACKEND"])
app.conf.update(worker_hijack_root_logger=False, accept_content=["json"])
_counts = redis.Redis.from_url(os.environ["LAB_COUNTS"])


@app.task(bind=True, name="torture.step")
def step(self, *args, **kwargs):
    _counts.hincrby("runs", self.request.id, 1)
    return {f"n{len(args)}": len(kwargs)}


@app.task(bind=True, name="torture.fail")
def fail(self, *args, **kwargs):
    _counts.hincrby("runs", self.request.id, 1)
    raise ValueError("on purpose")


@app.task(bind=True, name="torture.fail_once")
def fail_once(self, *args, name="", **kwargs):
    """Fails in the first run of a name, and not in its replay."""
    _counts.hincrby("runs", self.request.id, 1)
    if _counts.hincrby("tries", name, 1) == 1:
        raise ValueError("on purpose")
    return {"late": 1}
