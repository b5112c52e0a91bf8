# genome -> checked FASTA and annotation table -> masked FASTA


def genome_source(wildcards):
    """Returns the options that say where a species' genome comes from; what is fetched is pinned in a lock file."""
    genome = SPECIES[wildcards.species]["genome"]
    if genome_input(wildcards):
        return options(source=resource(genome))
    source = {"source": genome} if isinstance(genome, str) else dict(genome)
    contigs = [
        word for name in source.pop("contigs", []) for word in ("--contig", name)
    ]
    source["not_soft_masked"] = source.pop("soft_masked", True) is False
    return options(**source, lock_file="config/genomes.lock.json") + contigs


def genome_input(wildcards):
    """A local genome is an input, so that editing it runs the chain again; a download is not."""
    genome = SPECIES[wildcards.species]["genome"]
    path = resource(genome) if isinstance(genome, str) else ""
    return [path] if path and "://" not in path else []


def contig_options(wildcards):
    return options(**SPECIES[wildcards.species]["contigs"])


def annotation_source(wildcards):
    return resource(SPECIES[wildcards.species]["annotation"])


def annotation_input(wildcards):
    source = annotation_source(wildcards)
    return [source] if "://" not in source else []


def annotation_options(wildcards):
    entry = SPECIES[wildcards.species]
    names = entry.get("contig_names")
    return options(
        cds_verified=entry.get("cds_verified"),
        contig_names=resource(names) if names else None,
    )


def mask_options(wildcards):
    mask = SPECIES[wildcards.species]["mask"]
    bed = mask.get("bed")
    return options(
        soft_masked=mask["soft_masked"],
        iupac=mask["iupac"],
        bed=resource(bed) if bed else None,
    )


localrules:
    fetch_genome,


rule fetch_genome:
    input:
        local=genome_input,
    output:
        fasta="results/species/{species}/genome.fa",
        index="results/species/{species}/genome.fa.fai",
        manifest="results/species/{species}/genome.fa.manifest.json",
    log:
        "results/logs/fetch_genome/{species}.log",
    benchmark:
        "results/runtimes/fetch_genome/{species}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["genome"],
        source=genome_source,
        contigs=contig_options,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/fetch_genome.py {params.source:q} {params.contigs:q}"
        " --output {output.fasta:q} 2> {log:q}"


rule read_annotation:
    input:
        local=annotation_input,
        genome="results/species/{species}/genome.fa",
        index="results/species/{species}/genome.fa.fai",
    output:
        table="results/species/{species}/annotation.parquet",
        manifest="results/species/{species}/annotation.parquet.manifest.json",
    log:
        "results/logs/read_annotation/{species}.log",
    benchmark:
        "results/runtimes/read_annotation/{species}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        version=VERSIONS["annotation"],
        source=annotation_source,
        options=annotation_options,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/read_annotation.py --annotation {params.source:q} --genome {input.genome:q}"
        " {params.options:q} --output {output.table:q} 2> {log:q}"


rule mask_genome:
    input:
        genome="results/species/{species}/genome.fa",
        manifest="results/species/{species}/genome.fa.manifest.json",
    output:
        fasta="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        report="results/species/{species}/masked.tsv",
        manifest="results/species/{species}/masked.fa.manifest.json",
    log:
        "results/logs/mask_genome/{species}.log",
    benchmark:
        "results/runtimes/mask_genome/{species}.tsv"
    conda:
        "../envs/genome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=30,
    params:
        version=VERSIONS["mask"],
        options=mask_options,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/mask_genome.py --genome {input.genome:q} {params.options:q}"
        " --output {output.fasta:q} --report {output.report:q} 2> {log:q}"
