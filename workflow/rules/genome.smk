# genome -> checked FASTA and annotation table -> masked FASTA


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
        'python "$SCRIPTS"/fetch_genome.py {params.source:q} {params.contigs:q}'
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
        runtime=genome_runtime,
    params:
        version=VERSIONS["annotation"],
        source=annotation_source,
        options=annotation_options,
    shell:
        'python "$SCRIPTS"/read_annotation.py --annotation {params.source:q} --genome {input.genome:q}'
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
        runtime=genome_runtime,
    params:
        version=VERSIONS["mask"],
        options=mask_options,
    shell:
        'python "$SCRIPTS"/mask_genome.py --genome {input.genome:q} {params.options:q}'
        " --output {output.fasta:q} --report {output.report:q} 2> {log:q}"
