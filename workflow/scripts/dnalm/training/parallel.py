"""Where a training step's arrays lie: weights on every device, a batch shared out among them."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

log = logging.getLogger("dnalm")


class Placement:
    """The devices of a run: as many of this process's as share a micro-batch evenly.

    The numbers of a run on several devices differ from those on one in the last digits, as sums are formed in
    another order.
    """

    def __init__(self, batch_size: int, devices: Sequence[Any] | None = None) -> None:
        found = list(devices or jax.local_devices())
        self.count = math.gcd(batch_size, len(found))
        if self.count < len(found):
            log.warning("batches of %d are shared by %d of %d devices", batch_size, self.count, len(found))
        mesh = Mesh(np.array(found[: self.count]), ("devices",))
        self._whole = NamedSharding(mesh, PartitionSpec())
        self._split = NamedSharding(mesh, PartitionSpec(None, "devices"))

    def everywhere(self, tree: Any) -> Any:
        """Returns arrays with a copy on every device; with one device, as they are."""
        return jax.device_put(tree, self._whole) if self.count > 1 else tree

    def shared(self, batches: Any) -> Any:
        """Returns arrays (micro-batches, rows, ...) with the rows shared out, or as they are."""
        return jax.device_put(batches, self._split) if self.count > 1 else batches
