# masked genome -> windows


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
        runtime=genome_runtime,
    params:
        version=VERSIONS["windows"],
        options=window_options,
        annotation=window_annotation,
    shell:
        'python "$SCRIPTS"/make_windows.py --genome {input.genome:q} {params.options:q}'
        " {params.annotation:q} --output {output.bed:q} 2> {log:q}"
