"""The numbers that define a vocabulary and its measurement."""

from __future__ import annotations

from dataclasses import dataclass

from dnalm.errors import UserError

# GROVER's authors tried vocabularies from 100 to 5,000 cycles and took 600 (Sanabria et al. 2024).
CYCLES = (50, 100, 200, 350, 600, 1000, 2000)
LARGEST_K = 8  # 4 ** 8 classes


@dataclass(frozen=True)
class VocabularyRecipe:
    """What is learned and how it is measured.

    Args:
        cycles: numbers of merges that are compared, ascending.
        k: lengths in bases of what is to be predicted.
        context_tokens: tokens that the prediction is made from.
        steps, batch_size, hidden: of the network that predicts, the same for every number of cycles.
        validation_share: of the genome that is not held out, to choose the number of cycles by.
        positions: places that each accuracy is taken from.

    Raises:
        UserError: a number that cannot be.
    """

    cycles: tuple[int, ...] = CYCLES
    k: tuple[int, ...] = (2, 4, 6)
    context_tokens: int = 32
    steps: int = 1000
    batch_size: int = 512
    hidden: int = 256
    embed_dim: int = 32
    learning_rate: float = 2e-3
    validation_share: float = 0.05
    positions: int = 20_000
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("cycles", "k"):
            values = getattr(self, name)
            if not values or min(values) < 1 or list(values) != sorted(set(values)):
                raise UserError(name, f"found {values}, expected ascending numbers from 1", "Change it.")
        if max(self.k) > LARGEST_K:
            raise UserError("k", f"found {max(self.k)}, expected at most {LARGEST_K}", "Lower it.")
        for name in ("context_tokens", "steps", "batch_size", "hidden", "embed_dim", "positions"):
            if getattr(self, name) < 1:
                raise UserError(name, f"found {getattr(self, name)}, expected 1 or more", "Raise it.")
        if not 0 < self.validation_share < 1:
            raise UserError(
                "validation_share", f"found {self.validation_share}, expected 0 to 1", "Change it."
            )
