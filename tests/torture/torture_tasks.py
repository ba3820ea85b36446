"""The tasks of the torture's worker: each execution is counted on a server of its own."""

from __future__ import annotations

import os
import time
from typing import Any

import redis
from celery import Celery

app: Any = Celery("torture", broker=os.environ["LAB_BROKER"], backend=os.environ["LAB_BACKEND"])
app.conf.update(worker_hijack_root_logger=False, accept_content=["json"], task_track_started=False)
_counts = redis.Redis.from_url(os.environ["LAB_COUNTS"])


def _count(task_id, of):
    _counts.hincrby("runs", task_id, 1)
    _counts.hincrby("of", of, 1)


@app.task(bind=True, name="torture.step")
def step(self, *args, of, pause=0.0, **kwargs):
    _count(self.request.id, of)
    time.sleep(pause)
    return {f"n{len(args)}": len(kwargs)}


@app.task(bind=True, name="torture.held")
def held(self, *args, of, key, **kwargs):
    """Waits until something is pushed to a list of the counts' server."""
    _count(self.request.id, of)
    _counts.blpop(key, 60)


@app.task(bind=True, name="torture.fail")
def fail(self, *args, of, **kwargs):
    _count(self.request.id, of)
    raise ValueError("on purpose")


@app.task(bind=True, name="torture.fail_once")
def fail_once(self, *args, of, **kwargs):
    """Fails in a run, and not in its replay."""
    _count(self.request.id, of)
    if _counts.hincrby("tries", of, 1) == 1:
        raise ValueError("on purpose")
    return {"late": 1}


@app.task(bind=True, name="torture.fail_times")
def fail_times(self, *args, of, key, times, **kwargs):
    """Fails so many times, and then no more."""
    _count(self.request.id, of)
    if _counts.hincrby("tries", f"{of}:{key}", 1) <= times:
        raise ConnectionError(f"not yet, {key}")
    return {"late": 1}


@app.task(bind=True, name="torture.give")
def give(self, *args, of, value=None, **kwargs):
    """Returns what it was given."""
    _count(self.request.id, of)
    return value


@app.task(bind=True, name="torture.got")
def got(self, *args, of, **kwargs):
    """Returns all that arrived."""
    _count(self.request.id, of)
    return {"args": list(args), "kwargs": kwargs}


@app.task(bind=True, name="torture.raises")
def raises(self, *args, of, **kwargs):
    """Repeats all that arrived in its error."""
    _count(self.request.id, of)
    raise ValueError(f"no use for {args} {kwargs} {[*kwargs.values()]}")
