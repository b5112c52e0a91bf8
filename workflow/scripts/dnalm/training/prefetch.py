"""Batches made ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Batch = TypeVar("Batch")
PREFETCHED_BATCHES = 4


def prefetch(make_batch: Callable[[int], Batch], steps: Iterable[int]) -> Iterator[Batch]:
    """Yields `make_batch(step)` for each step, made ahead in a thread so that the device never waits."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(PREFETCHED_BATCHES)
    stopped = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for step in steps:
                if stopped.is_set():
                    return
                put(make_batch(step))
            put(None)
        except BaseException as fault:  # handed to the consumer, which raises it
            put(fault)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        worker.join()
