"""Ends a long run at a step's end when it is asked to stop (SIGTERM of a scheduler, Ctrl-C)."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType

log = logging.getLogger("dnalm")
SIGNAL_STATUS = 128  # a shell's exit status of a process that a signal ended is 128 + its number


class StopSignal:
    """Notes SIGTERM and SIGINT while the block runs; a second one ends the process as it would have."""

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers only there
            self._before = {n: signal.signal(n, self._note) for n in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self.__exit__()
        log.info("asked to stop: saving at the end of this step")

    def raise_if_set(self, message: str) -> None:
        """Raises SystemExit, with the exit status of a process ended by that signal."""
        if self.number:
            log.info(message)
            raise SystemExit(SIGNAL_STATUS + self.number)
