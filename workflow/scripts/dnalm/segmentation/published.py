"""Our scores beside the SegmentNT paper's, with whether the two can be compared and why not.

The published numbers (resources/published/segmentnt_mcc.tsv) belong to the paper's checkpoints on the
paper's test set: two whole human chromosomes. Another model, genome, part of it or threshold is another
measurement, and the row says so.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.files import require_file
from dnalm.stitching import Span, merge_spans

if TYPE_CHECKING:
    import pandas as pd

TABLE = Path(__file__).parent / "tables" / "segmentnt_mcc.tsv"  # a link into resources/published/
BESIDE_COLUMNS = (
    "feature",
    "mcc",
    "mcc_mean",  # over the shifted samplings
    "mcc_sd",
    "published_model",
    "published_mcc",
    "comparable",  # yes or no
    "reason",
)
# Name in resources/models.tsv -> name in the table: the released human weights are those trained on 30 kb.
CHECKPOINTS = {"segment_nt": "SegmentNT-30kb", "InstaDeepAI/segment_nt": "SegmentNT-30kb"}
TEST_BP = {"20": 64_444_167, "21": 46_709_983}  # GRCh38
LEAST_SHARE = 0.99  # of the test chromosomes that must be scored
PUBLISHED_THRESHOLD = 0.5
REMAINING = (
    "same checkpoint, chromosomes and threshold; still, the annotation may be another release, stretches "
    "homologous to training genes are kept, and windows are stitched"
)


def read_published(path: Path = TABLE) -> dict[tuple[str, str], float]:
    """Returns (model of the paper, feature) -> MCC."""
    with open(require_file(path, "table of published scores"), encoding="utf-8", newline="") as handle:
        return {
            (row["model"], row["feature"]): float(row["mcc"])
            for row in csv.DictReader(handle, delimiter="\t")
        }


def beside_published(
    whole: pd.DataFrame,
    model: str | None,
    regions: Mapping[str, Sequence[Span]],
    lengths: Mapping[str, int],
) -> pd.DataFrame:
    """Returns BESIDE_COLUMNS, one row per scored feature; NA where the paper has no number for the model.

    Args:
        whole: `evaluation.Evaluation.whole`.
        model: name of the tracks' model, as in resources/models.tsv.
        regions: contig -> spans that were scored.
        lengths: contig -> bp of the genome.
    """
    import pandas as pd

    published = read_published()
    theirs = CHECKPOINTS.get(model or "")
    rows = []
    for row in whole.to_dict("records"):
        number = published.get((theirs or "", row["feature"]))
        against = _reasons(model, number, row, regions, lengths)
        rows.append(
            {
                **{name: row[name] for name in ("feature", "mcc", "mcc_mean", "mcc_sd")},
                "published_model": theirs if number is not None else None,
                "published_mcc": number,
                "comparable": "no" if against else "yes",
                "reason": "; ".join(against) or REMAINING,
            }
        )
    return pd.DataFrame(rows, columns=list(BESIDE_COLUMNS))


def _reasons(
    model: str | None,
    number: float | None,
    row: Mapping[str, object],
    regions: Mapping[str, Sequence[Span]],
    lengths: Mapping[str, int],
) -> list[str]:
    """Returns what keeps a feature's score from being compared with the paper's."""
    if model is None:
        return ["the model is not named"]
    if model not in CHECKPOINTS:
        return [f"no published MCC for the model {model}"]
    reasons = [] if number is not None else [f"no published MCC for {row['feature']}"]
    short = {contig: contig.removeprefix("chr") for contig in regions}
    if {short[contig]: lengths[contig] for contig in regions} != TEST_BP:
        reasons.append("other sequences than chromosomes 20 and 21 of GRCh38")
    else:
        scored = sum(end - start for spans in regions.values() for start, end in merge_spans(spans))
        if scored < LEAST_SHARE * sum(TEST_BP.values()):
            reasons.append(f"only {scored / sum(TEST_BP.values()):.0%} of the test chromosomes")
    if row["labels"] != "either_strand":
        reasons.append("labels of one strand, the paper's are of either")
    if row["threshold"] != PUBLISHED_THRESHOLD:
        reasons.append(f"threshold {row['threshold']}, not {PUBLISHED_THRESHOLD}")
    return reasons
