"""run_model.py against the published implementation's outputs on the same small random weights."""

from pathlib import Path

import numpy as np
import pytest
import run_model

from dnalm import sequences
from dnalm.checkpoints.load import read_config

HERE = Path(__file__).parent
PAD = 1
EMBEDDING_ATOL, ATTENTION_ATOL = 2e-5, 1e-5  # noise between two right implementations: 1.1e-5, 2.7e-6
RESCALED = ("--rescaling-factor", "4.06884765625")  # 8333 / 2048: windows of 50 kb
FAMILIES = {
    "v2_500M_multi_species/jax_model": (),
    "v2_500M_multi_species/hf_model": (),
    "codon_nt/jax_model": (),
    "codon_nt/hf_model": (),
    "segment_nt": (),  # the folder that holds jax_model/
    "segment_nt/hf_model": (),
    "segment_nt_multi_species": (),
    "segment_nt_rescaled_50kb": RESCALED,
    "v1_500M_human_ref/jax_model": (),
    "v1_500M_human_ref/hf_model": (),
    "v1_2B5_multi_species": (),
    "v1_1B_agro_nt": (),
    "x_all_switches": (),
}


def run(folder, tmp_path, *arguments, outputs):
    output = tmp_path / "out.npz"
    argv = ["--checkpoint", str(HERE / folder), "--outputs", outputs, "--output", str(output), *arguments]
    assert run_model.main(argv) == 0
    return np.load(output)


def wanted(family):
    return "embeddings,attention," + ("segmentation" if family.startswith("segment") else "logits")


def compare(found, golden, batch):
    """Compares every output that the golden file has for a batch; returns how many."""
    tokens = golden[f"{batch}_tokens"]
    valid, full = tokens != PAD, (tokens != PAD).all(axis=1)
    assert full.any()
    compared = 0
    for key in golden.files:
        name = key.removeprefix(f"{batch}_").replace("attention_layer_", "attention_")
        if not key.startswith(f"{batch}_") or name in ("tokens", "attention_mask"):
            continue
        expected, atol = golden[key], EMBEDDING_ATOL
        if name.startswith("attention_"):
            result, expected = (np.swapaxes(x, 1, 2)[valid] for x in (found[name], expected))
            atol = ATTENTION_ATOL
        elif name.startswith("segment_"):
            result, expected, atol = found[name][full], expected[full], ATTENTION_ATOL
        elif name == "logits_columns":
            result, expected = found["logits"][..., golden["logit_columns"]][valid], expected[valid]
        elif name == "logits_row2_full":
            result, expected = found["logits"][2][valid[2]], expected[valid[2]]
        elif name == "logits_argmax":
            result, expected = found["logits"].argmax(axis=-1)[valid], expected[valid]
        elif name.startswith("logits_row_"):  # sums over 4,107 logits
            logits = found["logits"].astype(np.float64)
            summed = np.abs(logits).sum(axis=-1) if "abs" in name else logits.sum(axis=-1)
            result, expected, atol = summed[valid], expected[valid], EMBEDDING_ATOL * logits.shape[-1]
        else:
            result, expected = found[name][valid], expected[valid]
        np.testing.assert_allclose(result, expected, rtol=0, atol=atol, err_msg=key)
        compared += 1
    return compared


@pytest.mark.parametrize("folder", FAMILIES)
def test_every_output_of_every_batch(folder, tmp_path):
    """Batches a (plain), b (<mask> ids) and c (an attention mask with holes), in one run from .npy files."""
    family = folder.split("/")[0]
    golden = np.load(HERE / family / "io.npz")
    rows, layers = len(golden["a_tokens"]), sum(key.startswith("a_embeddings_") for key in golden.files)
    valid = golden["a_tokens"] != PAD
    plain = valid[:, None, :, None] & valid[:, None, None, :]
    np.save(tmp_path / "tokens.npy", np.concatenate([golden[f"{batch}_tokens"] for batch in "abc"]))
    np.save(tmp_path / "mask.npy", np.concatenate([plain, plain, golden["c_attention_mask"]]))
    files = ("--tokens", str(tmp_path / "tokens.npy"), "--attention-mask", str(tmp_path / "mask.npy"))
    batch_size = ("--batch-size", str(rows))
    found = run(folder, tmp_path, *files, *batch_size, *FAMILIES[folder], outputs=wanted(family))
    for number, batch in enumerate("abc"):
        part = slice(number * rows, (number + 1) * rows)
        results = {name: found[name][part] for name in found.files if name != "features"}
        assert compare(results, golden, batch) >= layers + 1


@pytest.mark.parametrize("folder", ["codon_nt/jax_model", "segment_nt", "x_all_switches"])
def test_from_sequences(folder, tmp_path):
    """Batch a from a text file, with the attention mask that the model makes itself."""
    family = folder.split("/")[0]
    golden = np.load(HERE / family / "io.npz")
    text = tmp_path / "sequences.txt"
    text.write_text("\n".join(golden["sequences"]) + "\n")
    # SegmentNT gives logits too; the published code overwrites them with the head's
    outputs = wanted(family) + (",logits" if family == "segment_nt" else "")
    found = run(folder, tmp_path, "--sequences", str(text), outputs=outputs)
    assert compare(found, golden, "a") >= 5
    if family == "segment_nt":
        assert found["logits"].shape == (3, 17, 4107)
        assert found["features"].tolist()[4:8] == ["splice_donor", "splice_acceptor", "5UTR", "3UTR"]


@pytest.mark.parametrize("family", sorted({folder.split("/")[0] for folder in FAMILIES}))
def test_token_ids(family, tmp_path):
    golden = np.load(HERE / family / "io.npz")
    text = tmp_path / "sequences.fa"
    text.write_text("".join(f">s{i}\n{sequence}\n" for i, sequence in enumerate(golden["sequences"])))
    kmers = read_config(HERE / family).kmers
    names, tokens = sequences.encode(text, kmers, per_base=False)
    np.testing.assert_array_equal(tokens, golden["a_tokens"])
    assert names == [f"s{i}" for i in range(len(tokens))]


def test_one_layer_alone_equals_the_same_among_all(tmp_path):
    golden = np.load(HERE / "codon_nt" / "io.npz")
    np.save(tmp_path / "tokens.npy", golden["a_tokens"])
    tokens = ("--tokens", str(tmp_path / "tokens.npy"))
    found = run("codon_nt", tmp_path, *tokens, "--layers", "2,4", outputs="embeddings")
    assert sorted(found.files) == ["embeddings_2", "embeddings_4", "tokens"]
    valid = golden["a_tokens"] != PAD
    for layer in (2, 4):
        expected = golden[f"a_embeddings_{layer}"]
        np.testing.assert_allclose(
            found[f"embeddings_{layer}"][valid], expected[valid], rtol=0, atol=EMBEDDING_ATOL
        )


def test_the_comparison_sees_the_torch_side_epsilon(tmp_path):
    """1e-12 instead of 1e-5, as the hub's torch configs say: a difference that the tolerance must catch."""
    golden = np.load(HERE / "v2_500M_multi_species" / "io.npz")
    np.save(tmp_path / "tokens.npy", golden["a_tokens"])
    arguments = ("--tokens", str(tmp_path / "tokens.npy"), "--layer-norm-eps", "1e-12", "--layers", "3")
    found = run("v2_500M_multi_species", tmp_path, *arguments, outputs="embeddings")
    valid = golden["a_tokens"] != PAD
    difference = np.abs(found["embeddings_3"] - golden["a_embeddings_3"])[valid].max()
    assert 2 * EMBEDDING_ATOL < difference < 1e-3
