from __future__ import annotations

import asyncio
import time
from typing import Any

from kimera_tui.process.loop.deliverer import Deliverer
from kimera_tui.process.outcome import Outcome


async def test_all_futures_get_their_own_outcome_in_order() -> None:
    loop = asyncio.get_running_loop()
    deliverer, order = Deliverer[Any](), list[Any]()
    futures = [loop.create_future() for _ in range(3000)]
    for number, future in enumerate(futures):
        future.add_done_callback(lambda done: order.append(done.result().result))
        deliverer.deliver(future, Outcome("SUCCESS", number))
    await asyncio.wait(futures)
    assert order == list(range(3000))


async def test_a_cancelled_future_is_passed_over() -> None:
    loop = asyncio.get_running_loop()
    deliverer = Deliverer[Any]()
    gone, waiting = loop.create_future(), loop.create_future()
    gone.cancel()
    deliverer.deliver(gone, Outcome("SUCCESS"))
    deliverer.deliver(waiting, Outcome("SUCCESS", 1))
    assert (await waiting).result == 1


async def test_slow_callbacks_do_not_freeze_the_loop() -> None:
    """1,000 callbacks of 1 ms each: in one go they would hold the loop for a second."""
    loop = asyncio.get_running_loop()
    deliverer, longest = Deliverer[Any](), 0.0
    futures = [loop.create_future() for _ in range(1000)]
    for future in futures:
        future.add_done_callback(lambda done: time.sleep(0.001))
        deliverer.deliver(future, Outcome("SUCCESS"))
    everybody = asyncio.gather(*futures)
    last = time.perf_counter()
    while not everybody.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < 0.3
