# what the rules of windows.smk ask of the configuration


def window_options(wildcards):
    """Returns the options of one window set of one species."""
    one = SPECIES[wildcards.species]["windows"][wildcards.windows]
    shared = options(
        kind=one["kind"],
        max_tokens=one["max_tokens"],
        tokenizer=one["tokenizer"],
        max_n_fraction=one["max_n_fraction"],
    )
    if one["kind"] == "tiles":
        return shared + options(
            length_bp=one["length_bp"], overlap_bp=one["overlap_bp"]
        )
    if one["kind"] == "tss":
        return shared + options(
            upstream_bp=one["upstream_bp"], downstream_bp=one["downstream_bp"]
        )
    return shared + options(bed=resource(one["bed"]))


def window_input(wildcards):
    """Windows around genes need the annotation, windows of a BED file that file."""
    one = SPECIES[wildcards.species]["windows"][wildcards.windows]
    if one["kind"] == "tss":
        return f"results/species/{wildcards.species}/annotation.parquet"
    return [resource(one["bed"])] if one["kind"] == "regions" else []


def window_annotation(wildcards, input):
    one = SPECIES[wildcards.species]["windows"][wildcards.windows]
    return options(annotation=input.source) if one["kind"] == "tss" else []
