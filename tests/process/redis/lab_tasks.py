"""The tasks of the tests' worker; each execution is counted under ``runs``, apart from Celery."""

from __future__ import annotations

import json
import os
import time

import redis
from celery import Celery
from celery.exceptions import Ignore

app = Celery("lab", broker=os.environ["LAB_BROKER"], backend=os.environ["LAB_BACKEND"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    task_track_started=False,
    broker_transport_options={"global_keyprefix": os.environ.get("LAB_PREFIX", "")},
    # JSON only, like the console.
    accept_content=["json"],
)
# What one test wants otherwise.
app.conf.update(json.loads(os.environ.get("LAB_CONF", "{}")))
_counts = redis.Redis.from_url(os.environ["LAB_COUNTS"])


@app.task(bind=True, name="lab.tasks.add")
def add(self, one, other=0):
    _counts.hincrby("runs", self.request.id, 1)
    return one + other


@app.task(bind=True, name="lab.tasks.echo")
def echo(self, *args, **kwargs):
    _counts.hincrby("runs", self.request.id, 1)
    return {"args": list(args), "kwargs": kwargs}


@app.task(bind=True, name="lab.tasks.fail")
def fail(self, message="boom"):
    raise ValueError(message)


class Odd(Exception):
    """An exception that cannot be pickled: it wants two arguments and keeps one."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


@app.task(bind=True, name="lab.tasks.odd")
def odd(self):
    _counts.hincrby("runs", self.request.id, 1)
    raise Odd("this", "that")


@app.task(bind=True, name="lab.tasks.spawn")
def spawn(self, count):
    return [add.delay(number).id for number in range(count)]


@app.task(bind=True, name="lab.tasks.retried", max_retries=3)
def retried(self, times, countdown=0.5):
    _counts.hincrby("runs", self.request.id, 1)
    if self.request.retries < times:
        raise self.retry(exc=ConnectionError("smtp 451"), countdown=countdown)
    return self.request.retries


@app.task(name="lab.tasks.limited", rate_limit="12/m")
def limited():
    """Run only once in five seconds."""


@app.task(bind=True, name="lab.tasks.replaced")
def replaced(self, value):
    raise self.replace(add.s(value, 1))


@app.task(bind=True, name="lab.tasks.ignored")
def ignored(self):
    raise Ignore


@app.task(bind=True, name="lab.tasks.steps")
def steps(self, count=3, pause=0.05):
    for number in range(count):
        self.update_state(state="PROGRESS", meta={"done": number, "of": count})
        time.sleep(pause)
    return count


@app.task(bind=True, name="lab.tasks.sleep")
def sleep(self, seconds):
    _counts.hincrby("runs", self.request.id, 1)
    time.sleep(seconds)
    return seconds


@app.task(bind=True, name="lab.tasks.big")
def big(self, size):
    _counts.hincrby("runs", self.request.id, 1)
    return "x" * size


@app.task(name="lab.tasks.note", ignore_result=True)
def note():
    """Keep no result."""


@app.task(bind=True, name="lab.tasks.write")
def write(self, seconds=0.0):
    """Take a while; counted when it begins and, under ``ended``, when it ends."""
    _counts.hincrby("runs", self.request.id, 1)
    time.sleep(seconds)
    _counts.hincrby("ended", self.request.id, 1)
    return "written"
