"""Which files of a repository make a checkpoint: one of the published layouts, some with a vocabulary."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from dnalm.checkpoints.hub_client import Hub, HubFile
from dnalm.errors import UserError
from dnalm.tokens import BPE, OVERLAPPING

INDEX = ".index.json"
# In the order of preference. The last file holds the weights, or says in which files they lie.
LAYOUTS = (
    ("safetensors", ("config.json", "model.safetensors")),
    ("safetensors", ("config.json", "model.safetensors" + INDEX)),
    ("jax", ("jax_model/hyperparams.json", "jax_model/pytree_ckpt.joblib")),
    ("bin", ("config.json", "pytorch_model.bin")),
    ("bin", ("config.json", "pytorch_model.bin" + INDEX)),
)
# Beside the weights, by tokenizer. The order of overlapping k-mers is known; the file is compared with it.
VOCABULARIES = {BPE: "tokenizer.json", **dict.fromkeys(OVERLAPPING, "vocab.txt")}
NAMES = ("auto", *dict.fromkeys(name for name, _ in LAYOUTS))


def of_known_files(layout: str, known: Collection[str], tokenizer: str) -> tuple[str, ...] | None:
    """Returns the files of the first layout that is known as a whole, else by its weights, else None."""
    asked = _asked(layout, tokenizer)
    whole = (names for names in asked if set(names) <= set(known))
    return next(whole, None) or next((names for names in asked if names[-1] in known), None)


def of_repository(layout: str, hub: Hub, tokenizer: str) -> tuple[Hub, dict[str, HubFile]]:
    """Returns the files of the first layout that the repository has, and the hub at their commit.

    Raises:
        UserError: it has none, or cannot be asked.
    """
    asked = _asked(layout, tokenizer)
    for names in asked:
        found: dict[str, HubFile] = {}
        for name in reversed(names):  # the weights say most
            if (file := hub.look(name)) is None:
                break
            found[name], hub = file, replace(hub, revision=file.revision)
        if len(found) == len(names):
            return hub, {name: found[name] for name in names}
    weights = " or ".join(names[-1] for names in asked)
    raise UserError(
        f"{hub.repository} at {hub.revision}",
        f"no checkpoint {'in the cache (HF_HUB_OFFLINE is set)' if hub.offline else 'there'} "
        f"(expected {weights}, with its settings)",
        "Fetch it with a network." if hub.offline else "Check hub_repository in resources/models.tsv.",
    )


def _asked(layout: str, tokenizer: str) -> list[tuple[str, ...]]:
    first = (VOCABULARIES[tokenizer],) if tokenizer in VOCABULARIES else ()
    return [(*first, *names) for name, names in LAYOUTS if layout in ("auto", name)]
