"""Runs a model over many token sequences: batches by length, all devices, results as they come.

Rows are sorted by length, the longest first, and cut into batches of equal shape, so that few programs
are compiled and little is padded (padding changes no result, see `models`). Every device runs the
same program on its part of a batch: the numbers do not depend on how many there are.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int32

from dnalm.engine.memory import is_out_of_memory, memory_fault, weights_fit
from dnalm.errors import UserError

STEPS_PER_OCTAVE = 4  # bucket lengths between a length and its double
SMALLEST_STEP = 4  # DNA tokens: what the segmentation head needs
IN_FLIGHT = 2  # batches sent to the devices before the first result is fetched
Function = Callable[[Any, Any], Any]  # (params, tokens Int32 (B, L)) -> Array (B, ...)
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Batch:
    """Rows that run together, padded to one length in tokens."""

    rows: Int[np.ndarray, " B"]
    length: int


def bucket_length(length: int, nominal: int, limit: int) -> int:
    """Returns the padded length in tokens for a row: the nominal one, or the next of a coarse series.

    Args:
        length: tokens of the row, CLS included.
        nominal: length of most rows, which is never padded.
        limit: the model's most tokens.
    """
    dna = max(length - 1, SMALLEST_STEP)
    step = max(SMALLEST_STEP, (1 << (dna.bit_length() - 1)) // STEPS_PER_OCTAVE)
    bucket = min(1 + -(-dna // step) * step, max(limit, length))
    return nominal if length <= nominal < bucket else bucket


def plan_batches(
    lengths: Int[np.ndarray, " N"], batch_rows: int, nominal: int, limit: int, devices: int = 1
) -> list[Batch]:
    """Cuts rows into batches, the longest rows first; only the last batch may be short.

    The rows of one device and call, and so what each row is padded to, are the same whatever the number of
    devices: they run together only where their lengths are the same.
    """
    buckets = np.array([bucket_length(int(length), nominal, limit) for length in lengths], np.int64)
    order = np.argsort(-buckets, kind="stable")
    parts = [order[start : start + batch_rows] for start in range(0, len(order), batch_rows)]
    batches = []
    for length, group in groupby(parts, key=lambda rows: int(buckets[rows[0]])):
        same = list(group)
        together = [same[start : start + devices] for start in range(0, len(same), devices)]
        batches += [Batch(np.concatenate(rows), length) for rows in together]
    return batches


class Runner:
    """A compiled model on all devices of this process.

    Args:
        function: pure function of params and tokens; its result's first axis is the batch.
        devices: JAX devices of one kind.
        batch_rows: rows per device and call; halved when the device runs out of memory.
        nominal: length in tokens of most rows.
        limit: the model's most tokens.
    """

    def __init__(
        self,
        function: Function,
        params: Any,
        devices: Sequence[Any],
        batch_rows: int,
        nominal: int,
        limit: int,
        pad_id: int,
    ) -> None:
        import jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        mesh = Mesh(np.array(devices), ("devices",))
        whole, split = PartitionSpec(), PartitionSpec("devices")
        self._sharding = NamedSharding(mesh, split)
        self._call = jax.jit(
            jax.shard_map(function, mesh=mesh, in_specs=(whole, split), out_specs=split, check_vma=False)
        )
        self._devices, self._batch_rows = list(devices), batch_rows
        self._nominal, self._limit, self._pad_id = nominal, limit, pad_id
        with weights_fit(devices):
            self._params = jax.device_put(params, NamedSharding(mesh, whole))

    @property
    def batch_rows(self) -> int:
        """Rows per device and call, as last used."""
        return self._batch_rows

    def run(
        self, rows: Sequence[Int32[np.ndarray, " _"]]
    ) -> Iterator[tuple[Int[np.ndarray, " B"], Float[np.ndarray, "B ..."]]]:
        """Yields (row numbers, their results), batch after batch, every row once.

        Args:
            rows: token ids of each row, without padding.

        Raises:
            UserError: a single row does not fit the device's memory.
        """
        lengths = np.array([len(row) for row in rows], np.int64)
        waiting: deque[_Sent] = deque()
        for batch in plan_batches(lengths, self._batch_rows, self._nominal, self._limit, len(self._devices)):
            for part in self._parts(batch):  # one, unless memory ran out since the batches were planned
                waiting.append(self._send(rows, part))
                if len(waiting) >= IN_FLIGHT:
                    yield from self._fetch(rows, waiting.popleft())
        while waiting:
            yield from self._fetch(rows, waiting.popleft())

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        """Cuts a batch to the size that fits by the time that a part is asked for."""
        rows = batch.rows
        while len(rows):
            step = self._batch_rows * len(self._devices)
            yield Batch(rows[:step], batch.length)
            rows = rows[step:]

    def _send(self, rows: Sequence[Any], batch: Batch) -> _Sent:
        """Starts one batch, filled up to the full number of rows."""
        import jax

        tokens = np.full((self._batch_rows * len(self._devices), batch.length), self._pad_id, np.int32)
        for place, row in enumerate(batch.rows):
            tokens[place, : len(rows[row])] = rows[row]
        tokens[len(batch.rows) :] = tokens[0]  # rows of pads alone are outside what models promise
        try:
            result = self._call(self._params, jax.device_put(tokens, self._sharding))
        except jax.errors.JaxRuntimeError as fault:
            result = fault
        return _Sent(batch, self._batch_rows, result)

    def _fetch(self, rows: Sequence[Any], sent: _Sent) -> Iterator[tuple[Any, Any]]:
        """Waits for a batch; one that did not fit the device's memory is run again in halves."""
        import jax

        batch = sent.batch
        try:
            if isinstance(sent.result, BaseException):
                raise sent.result
            values = np.asarray(sent.result)[: len(batch.rows)]
        except jax.errors.JaxRuntimeError as fault:
            if not is_out_of_memory(fault):
                raise
            if sent.batch_rows == 1:
                what = f"one window of {batch.length} tokens"
                raise memory_fault(self._devices, what, fault) from fault
            self._shrink(sent.batch_rows)
            for part in self._parts(batch):
                yield from self._fetch(rows, self._send(rows, part))
        else:
            yield batch.rows, values

    def _shrink(self, failed_rows: int) -> None:
        """Halves the batch, unless that happened since the failed one was sent."""
        half = (failed_rows + 1) // 2
        if half < self._batch_rows:
            log.warning("out of device memory: batches of %d instead of %d rows", half, failed_rows)
            self._batch_rows = half


@dataclass(frozen=True)
class _Sent:
    """A batch under way: how many rows each device got, and the result or the fault."""

    batch: Batch
    batch_rows: int
    result: Any


def check_finite(values: Float[np.ndarray, "B ..."], names: Sequence[str]) -> None:
    """Refuses results that are not finite.

    Raises:
        UserError: naming the first such row.
    """
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        raise UserError(
            names[int(np.argmin(finite))],
            f"the model gives NaN or infinity here (and in {int((~finite).sum()) - 1} more of these windows)",
            "Check the checkpoint; with --dtype float16 use float32, with --precision float16 use bfloat16.",
        )
