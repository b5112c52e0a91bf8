"""Next-k-mer prediction: how well the bases after some tokens are told from these tokens alone.

Source: Sanabria et al. 2024 (GROVER) choose their vocabulary by this task, with a BERT trained for each. Here
the network is small and the same for all: an embedding per token, one hidden layer, one output per k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Int32, UInt8

from dnalm.tokens.letters import digits, kmer_numbers
from dnalm.vocabulary.recipe import VocabularyRecipe

MARKOV_ORDER = 6  # bases that the reference by counts looks at


@dataclass(frozen=True)
class Places:
    """Tokens of one text, and what can be asked of it.

    Args:
        ids: of all stretches, one after the other.
        starts: number of the first base of each token.
        bases: digits of all bases.
        allowed: tokens before which the context, and after which the longest k-mer, lie in one stretch.
    """

    ids: Int32[np.ndarray, " T"]
    starts: Int[np.ndarray, " T"]
    bases: UInt8[np.ndarray, " S"]
    allowed: Int[np.ndarray, " A"]

    def batch(
        self, chosen: Int[np.ndarray, " B"], recipe: VocabularyRecipe
    ) -> tuple[Int32[np.ndarray, "B C"], Int32[np.ndarray, "B K"]]:
        """Returns the tokens before each chosen one, and the numbers of the k-mers that start with it."""
        context = self.ids[chosen[:, None] - np.arange(recipe.context_tokens, 0, -1)]
        following = self.bases[self.starts[chosen][:, None] + np.arange(max(recipe.k))]
        asked = [kmer_numbers(following[:, :k], k, k)[:, 0] for k in recipe.k]
        return context, np.stack(asked, axis=1)


def find_places(stretches: list[Any], tokenizer: Any, recipe: VocabularyRecipe) -> Places:
    """Cuts stretches without N into tokens."""
    ids, starts, allowed, bases = [], [], [], []
    base, number = 0, 0
    for stretch, row in zip(stretches, tokenizer.encode_rows(stretches, [""] * len(stretches)), strict=True):
        spans = tokenizer.spans(row)[1:-1]
        own = np.arange(recipe.context_tokens, len(spans))
        own = own[spans[own, 0] + max(recipe.k) <= len(stretch)]
        ids.append(row[1:-1])
        starts.append(spans[:, 0].astype(np.int64) + base)
        allowed.append(own + number)
        bases.append(digits()[stretch])
        base, number = base + len(stretch), number + len(spans)
    return Places(*(np.concatenate(parts) for parts in (ids, starts, bases, allowed)))


def train(places: Places, vocabulary: int, recipe: VocabularyRecipe) -> Callable[[Any], Any]:
    """Trains the network on random places; returns contexts -> logits of each k."""
    random = np.random.default_rng([recipe.seed, 1])
    params = _start(vocabulary, recipe)
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.steps)
    optimizer = optax.adam(schedule)
    state = optimizer.init(params)

    @jax.jit
    def step(params: Any, state: Any, context: Any, asked: Any) -> tuple[Any, Any]:
        gradient = jax.grad(_loss)(params, context, asked)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state

    for _ in range(recipe.steps):
        chosen = places.allowed[random.integers(len(places.allowed), size=recipe.batch_size)]
        params, state = step(params, state, *places.batch(chosen, recipe))
    apply = jax.jit(_logits)
    return lambda context: apply(params, context)


def _start(vocabulary: int, recipe: VocabularyRecipe) -> dict[str, Any]:
    random = np.random.default_rng([recipe.seed, 0])
    inputs = recipe.context_tokens * recipe.embed_dim

    def draw(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    heads = [(0.1 * draw(recipe.hidden, 4**k), np.zeros(4**k, np.float32)) for k in recipe.k]
    table = random.standard_normal((vocabulary, recipe.embed_dim)).astype(np.float32)
    return {
        "table": table,
        "w": draw(inputs, recipe.hidden),
        "b": np.zeros(recipe.hidden, np.float32),
        "heads": heads,
    }


def _logits(params: Any, context: Int[Array, "B C"]) -> list[Float[Array, "B _"]]:
    values = params["table"][context].reshape(len(context), -1)
    hidden = jax.nn.relu(values @ params["w"] + params["b"])
    return [hidden @ w + b for w, b in params["heads"]]


def _loss(params: Any, context: Int[Array, "B C"], asked: Int[Array, "B K"]) -> Float[Array, ""]:
    outputs = _logits(params, context)
    losses = [
        optax.softmax_cross_entropy_with_integer_labels(output, asked[:, number]).mean()
        for number, output in enumerate(outputs)
    ]
    return jnp.stack(losses).sum()


def accuracies(
    places: Places, predict: Callable[[Any], Any], recipe: VocabularyRecipe
) -> Float[np.ndarray, " K"]:
    """Returns the share of places where the likeliest k-mer is the right one, for each k."""
    chosen = scored_places(places, recipe)
    right = []
    for first in range(0, len(chosen), recipe.batch_size):
        context, asked = places.batch(chosen[first : first + recipe.batch_size], recipe)
        guessed = np.stack([np.asarray(output).argmax(axis=1) for output in predict(context)], axis=1)
        right.append(guessed == asked)
    return np.concatenate(right).mean(axis=0)


def scored_places(places: Places, recipe: VocabularyRecipe) -> Int[np.ndarray, " P"]:
    """Returns whole batches of places, spread evenly: one shape is compiled once."""
    count = min(recipe.positions, len(places.allowed)) // recipe.batch_size * recipe.batch_size
    return places.allowed[np.linspace(0, len(places.allowed) - 1, max(count, recipe.batch_size)).astype(int)]


def markov_accuracies(
    training: list[Any], places: Places, recipe: VocabularyRecipe
) -> Float[np.ndarray, " K"]:
    """Returns what counts reach: the commonest k-mer after the last MARKOV_ORDER bases."""
    chosen, found = scored_places(places, recipe), []
    order = 4**MARKOV_ORDER
    for number, k in enumerate(recipe.k):
        counts = np.zeros(order * 4**k, np.int32)
        for stretch in training:
            if len(stretch) >= MARKOV_ORDER + k:
                whole = kmer_numbers(digits()[stretch][None], MARKOV_ORDER + k, 1)[0]
                counts += np.bincount(whole, minlength=len(counts)).astype(np.int32)
        likeliest = counts.reshape(order, 4**k).argmax(axis=1)
        starts = places.starts[chosen]
        before = places.bases[starts[:, None] - np.arange(MARKOV_ORDER, 0, -1)]
        asked = places.batch(chosen, recipe)[1][:, number]
        found.append((likeliest[kmer_numbers(before, MARKOV_ORDER, MARKOV_ORDER)[:, 0]] == asked).mean())
    return np.array(found, np.float64)
