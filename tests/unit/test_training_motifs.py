"""What is planted in a toy genome is learned, and nothing without it: held-out scores of both trainings."""

import numpy as np
import pandas as pd
import pretrain
import pytest
import train_segmentation
import yaml
from toy_training import command_line

from dnalm import annotation

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_programs")]
GENOME_BP, HELD_OUT = 48_000, "chr1:40000-48000"
MOTIF = "ACGGATTACCATGCAATGTCCGAT"  # 24 bases, at a random place of every stretch of 32
INTRON_BP = 90
SIZES = {
    "tokenizer": "v2_3mer", "embed_dim": 32, "num_layers": 2, "attention_heads": 4, "ffn_embed_dim": 64,
    "window_bp": 192, "batch_size": 16, "steps": 300, "learning_rate": 4e-3, "log_every": 50,
    "checkpoint_every": 300, "ema_decay": 0.9,
}  # fmt: skip


def write(folder, letters, settings):
    (folder / "masked.fa").write_text(">chr1\n" + "".join(letters) + "\n")
    (folder / "recipe.yaml").write_text(yaml.safe_dump({**SIZES, **settings}))
    return {
        "--genome": folder / "masked.fa", "--config": folder / "recipe.yaml", "--held-out": HELD_OUT,
        "--work-dir": folder / "work", "--output-dir": folder / "model", "--device": "cpu",
    }  # fmt: skip


@pytest.mark.parametrize("planted", [True, False])
def test_masked_bases_of_a_motif_are_told(planted, tmp_path):
    draw = np.random.default_rng(3)
    letters = draw.choice(list("ACGT"), GENOME_BP)
    for start in range(0, GENOME_BP - 32, 32) if planted else ():
        place = start + int(draw.integers(0, 8))
        letters[place : place + 24] = list(MOTIF)
    assert pretrain.main(command_line(write(tmp_path, letters, {}))) == 0
    scores = pd.read_csv(tmp_path / "model" / "metrics.tsv", sep="\t").set_index("metric")["model"]
    assert scores["token_accuracy"] > 0.4 if planted else scores["token_accuracy"] < 0.06, scores


@pytest.mark.parametrize("planted", [True, False])
def test_introns_with_a_composition_are_found(planted, tmp_path):
    draw = np.random.default_rng(4)
    letters = draw.choice(list("ACGT"), GENOME_BP)
    rows = []
    for gene, start in enumerate(range(300, GENOME_BP - 600, 500)):
        first, second = start + 60, start + 60 + INTRON_BP
        if planted:
            letters[first:second] = draw.choice(list("ACGT"), INTRON_BP, p=[0.64, 0.1, 0.1, 0.16])
            letters[first : first + 2], letters[second - 2 : second] = list("GT"), list("AG")
        rows += [(start, first, f"t{gene}"), (second, second + 60, f"t{gene}")]
    table = pd.DataFrame(rows, columns=["start", "end", "transcript_id"])
    table = table.assign(contig="chr1", type="exon", strand="+", gene_id="g", gene_name="", biotype="")
    table = table.assign(cds_verified=True)[list(annotation.ANNOTATION_COLUMNS)]
    annotation.write_annotation(table, tmp_path / "annotation.parquet")
    arguments = write(
        tmp_path, letters, {"features": ["exon", "intron"], "keep_unspliced": 1.0, "steps": 200}
    )
    arguments["--annotation"] = tmp_path / "annotation.parquet"
    assert train_segmentation.main(command_line(arguments)) == 0
    scores = pd.read_csv(tmp_path / "model" / "metrics.tsv", sep="\t").set_index("feature").loc["intron"]
    if planted:
        assert scores["auprc"] > 0.7, scores
    else:
        assert scores["auprc"] < 2 * scores["base_rate"], scores
