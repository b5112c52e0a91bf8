"""One drawing of each of the papers' figures from toy tables, and what it was like when last looked at.

`python tests/paper_pictures.py` writes tests/data/figures anew, after a figure was changed and looked at.
"""

import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

TESTS = Path(__file__).parent
KEPT = TESTS / "data" / "figures"
DOTS_PER_INCH = 40
WIDTHS_MM = (85, 180)


def drawings(home: Path) -> Iterator[tuple[str, Callable]]:
    """Yields a figure's name and width in mm -> Figure; `home` is an empty folder."""
    import paper_tables_attention as attention_tables
    import paper_tables_benchmark as task_tables
    import paper_tables_predictions as prediction_tables
    import paper_tables_segments as segment_tables
    import paper_tables_vocabulary as token_tables
    import toy_genes

    from dnalm.figures import gene_models
    from dnalm.figures.papers import (
        attention,
        benchmark,
        benchmark_note,
        benchmark_scores,
        context,
        crops,
        landscape,
        landscape_bins,
        layer_scores,
        layers,
        predictions,
        published,
        segment_data,
        segment_metrics,
        segment_scores,
        segment_tracks,
        strength,
        vocabulary,
    )

    board = task_tables.toy_leaderboard("nt_revised", ["H3K27ac", "enhancers", "splice_sites_all"])
    board.to_csv(home / "board.tsv", sep="\t", index=False, na_rep="NA")
    scores = benchmark_scores.gather(home / "board.tsv", "nt_revised")
    note = benchmark_note.NOTES["nt_revised"]
    yield "nt_benchmark", lambda width: benchmark.plot_benchmark(scores, note, width, "nt_revised")

    swept = layer_scores.gather_layers(
        [task_tables.write_task(home, "donors.zea_mays", task_tables.toy_probes())]
    )
    yield "layers", lambda width: layers.plot_layers(swept, width_mm=width)
    tasks = [
        task_tables.write_task(home, f"site_{bp}.zea_mays", task_tables.toy_probes(shift=shift), bp)
        for bp, shift in ((200, -0.1), (600, 0.0), (6000, 0.1))
    ]
    kept = context.gather_context(tasks)
    yield "context", lambda width: context.plot_context(kept, width_mm=width)

    folders = [
        *prediction_tables.write_crop(home / "crops", "arabidopsis_thaliana"),
        *prediction_tables.write_crop(home / "crops", "oryza_sativa", features=("agro_nt", "kmer")),
    ]
    found = predictions.read_probes(folders, ("gene_exp",))
    table = crops.gather(found, published.read_published(published.EXPRESSION))
    places, told = crops.places_of(found, True), crops.note_of(found, table)
    yield "agront_expression", lambda width: crops.plot_crops(found, table, places, told, width)
    probes = predictions.read_probes(
        prediction_tables.write_strength(home / "strength", "promoter_strength.leaf"), strength.KINDS
    )
    strong = strength.gather(probes, published.read_published(published.STRENGTH))
    said = strength.note_of(probes, strong)
    yield "agront_strength", lambda width: strength.plot_strength(probes, strong, said, width)

    (home / "tracks").mkdir()
    tracks = segment_tables.paper_tracks(home / "tracks")
    region = (toy_genes.CONTIG, 19_000, 24_000)
    blocks = [segment_data.read_block(tracks, toy_genes.toy_annotation(), region)]
    yield "segmentnt_tracks", lambda width: segment_tracks.plot_segments(blocks, "segment_nt", width_mm=width)
    own = segment_tables.write_table(segment_tables.segment_scores(), home / "metrics.tsv")
    beside = segment_tables.write_table(segment_tables.beside_scores(), home / "beside.tsv")
    elements = segment_scores.gather(own, beside)
    yield (
        "segmentnt_metrics",
        lambda width: segment_metrics.plot_metrics(elements, "demo_segment_nt", "", width),
    )

    tables = token_tables.tokens(), token_tables.cycles(), token_tables.regions()
    about = vocabulary.note(*tables, "toy", "A fly", "toy_nt")
    yield "grover_tokens", lambda width: vocabulary.plot_tokens(*tables, about, width)

    land = attention_tables.toy_landscape()
    motifs = attention_tables.toy_motifs(landscape=land)
    models = gene_models.model_parts(toy_genes.toy_annotation(), landscape_bins.region_of(land))
    yield (
        "dnabert_attention",
        lambda width: landscape.plot_landscape(land, motifs, models, "Model: toy.", width),
    )
    maps = attention_tables.toy_maps(120, [(3, head) for head in range(4)])
    yield "attention", lambda width: attention.plot_attention(maps, "Model: toy.", width)


def picture(figure) -> np.ndarray:
    """Returns a small grey picture of a figure."""
    from dnalm.figures import style

    data = io.BytesIO()
    with style.applied():
        figure.savefig(data, format="png", dpi=DOTS_PER_INCH)
    return np.asarray(Image.open(data).convert("L"))


def main():
    sys.path[:0] = [str(TESTS), str(TESTS / "unit"), str(TESTS.parent / "workflow" / "scripts")]
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for name, draw in drawings(Path(home)):
            for width in WIDTHS_MM:
                Image.fromarray(picture(draw(float(width)))).save(
                    KEPT / f"{name}.{width}mm.png", optimize=True
                )


if __name__ == "__main__":
    main()
