"""Ends a long run between two steps when it is asked to: SIGTERM, SIGUSR1 (Slurm's --signal) or Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TypeVar

log = logging.getLogger("dnalm")
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
REPEAT_S = 1  # a signal sent to a process and to its group comes twice; later ones are meant
SIGNAL_STATUS = 128  # a shell's exit status of a process that a signal ended is 128 + its number
Item = TypeVar("Item")


class StopSignal:
    """Notes a signal while the block runs; a second one ends the process at once.

    Python runs a handler only between two of the main thread's own steps, which may be minutes apart while
    a device computes. A thread hears of signals at once, so that the answer and the second one need not wait.

    Args:
        step: what is finished first, for the answer.
    """

    def __init__(self, step: str = "step") -> None:
        self.number = 0
        self._step = step
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is not threading.main_thread():  # Python allows handlers only there
            return self
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        if not self._before:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._write)
        self._listener.join()
        os.close(self._read)
        self._before = {}

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number

    def _listen(self) -> None:
        """Reads the numbers of signals as they come, until the block ends."""
        ends = None
        while numbers := os.read(self._read, 1):
            if numbers[0] not in SIGNALS:  # another's, with a handler of its own
                continue
            self.number = number = numbers[0]
            if ends is None:
                ends = time.monotonic() + REPEAT_S
                name = signal.Signals(number).name
                log.info("%s: stopping at the end of this %s; a second one ends it at once", name, self._step)
            elif time.monotonic() > ends:
                os._exit(SIGNAL_STATUS + number)  # as a kill does: what is on the disk stays whole

    def watch(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Yields items, each a step whose result is kept; raises SystemExit after one where asked to."""
        for done, item in enumerate(items, start=1):
            yield item
            if self.number and hasattr(items, "close"):
                items.close()  # a progress bar: what follows is the last line of the log
            self.raise_if_set(
                f"stopped after {done} of {total} {self._step}s; the same command goes on from there"
            )

    def raise_if_set(self, message: str) -> None:
        """Raises SystemExit, with the exit status of a process ended by that signal."""
        if self.number:
            log.info(message)
            raise SystemExit(SIGNAL_STATUS + self.number)
