"""Counts how often each token of a vocabulary occurs in a genome, and how much of it is soft-masked.

In:  a genome whose lower-case letters are soft-masked repeats; a learned tokenizer.json, or a model with its
     tokenizer and table of embeddings; regions, where not the whole genome is counted.
Out: a table with a row per token (token, id, count, length_bp, gc, soft_masked, in_repeats; of a model also
     x, y, a map of its input embeddings, and projection, its kind) and its manifest.

Both cases are read alike and letters other than A, C, G and T split the sequence. About 1 Mb is read at a
time, cut at runs of such letters where there are any, else where the chunk ends: few tokens change by that.
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--genome", required=True, help="FASTA with its soft-masked letters in lower case")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tokenizer", help="tokenizer.json of train_tokenizer.py")
    source.add_argument("--checkpoint", help="model: a folder, or a name in resources/models.tsv")
    add("--regions", nargs="*", default=[], metavar="CONTIG:START-END", help="0-based half-open; none: all")
    add("--seed", type=int, default=1, help="of the map (t-SNE)")
    add("--output", required=True, help="table to write (.tsv)")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import files
    from dnalm.checkpoints import load_checkpoint
    from dnalm.figures.projection import project
    from dnalm.genome import Genome
    from dnalm.genome.regions import read_regions
    from dnalm.tokens import BPE, tokenizer
    from dnalm.vocabulary import occurrences

    model, inputs = None, {"genome": arguments.genome}
    if arguments.tokenizer:
        path = files.require_file(arguments.tokenizer, "tokenizer")
        tokens, inputs["tokenizer"] = tokenizer(BPE, path.read_text(encoding="utf-8", errors="replace")), path
    else:
        model = load_checkpoint(arguments.checkpoint)
        tokens, inputs = model.config.tokens, {**inputs, **model.files}
    with Genome(arguments.genome) as genome:
        regions = read_regions(arguments.regions, genome.lengths)
        found = occurrences.count_tokens(genome, tokens, regions, cli.progress)
    table = occurrences.describe(found, tokens, arguments.genome)
    details = {"tokenizer_name": tokens.name, "tokens": len(table), "occurrences": int(table["count"].sum())}
    details |= {"regions": arguments.regions, "chunk_bp": occurrences.CHUNK_BP}
    if model:
        mapped = project(occurrences.input_embeddings(model, table["id"].tolist()), arguments.seed)
        x, y = mapped.coordinates.T
        table = table.assign(x=x, y=y, projection=mapped.kind)
        details |= {"projection": mapped.kind, "explained": mapped.explained, "seed": arguments.seed}
    with files.atomic_path(arguments.output) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")
    files.write_manifest(arguments.output, "tokens", inputs, details)


if __name__ == "__main__":
    sys.exit(main())
