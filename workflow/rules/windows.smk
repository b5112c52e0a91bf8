# masked genome -> windows


def window_options(wildcards):
    """Returns the options of one window set of one species."""
    one = SPECIES[wildcards.species]["windows"][wildcards.windows]
    shared = options(
        kind=one["kind"],
        max_tokens=one["max_tokens"],
        k=one["k"],
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


rule make_windows:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        manifest="results/species/{species}/masked.fa.manifest.json",
        source=window_input,
    output:
        bed="results/species/{species}/windows/{windows}.bed",
        manifest="results/species/{species}/windows/{windows}.bed.manifest.json",
    log:
        "results/logs/make_windows/{species}.{windows}.log",
    benchmark:
        "results/runtimes/make_windows/{species}.{windows}.tsv"
    wildcard_constraints:
        windows=one_of(
            {name for entry in SPECIES.values() for name in entry["windows"]}
        ),
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        version=VERSIONS["windows"],
        options=window_options,
        annotation=window_annotation,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/make_windows.py --genome {input.genome:q} {params.options:q}"
        " {params.annotation:q} --output {output.bed:q} 2> {log:q}"
