# expression table + embeddings of TSS windows -> cross-validated ridge regression beside the baselines


rule predict_expression:
    input:
        table=expression_table,
        windows=expression_windows,
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        embeddings=expression_embeddings,
    output:
        table="results/species/{species}/expression/{run}.tsv",
        predictions="results/species/{species}/expression/{run}.predictions.parquet",
        manifest="results/species/{species}/expression/{run}.tsv.manifest.json",
    log:
        "results/logs/predict_expression/{species}.{run}.log",
    benchmark:
        "results/runtimes/predict_expression/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["expression"]),
    conda:
        "../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["expression"],
        options=expression_options,
        embeddings=named_embeddings,
    shell:
        'python "$SCRIPTS"/predict_expression.py --table {input.table:q} --windows {input.windows:q}'
        " --genome {input.genome:q} --embeddings {params.embeddings:q} {params.options:q}"
        " --output {output.table:q} --predictions {output.predictions:q} 2> {log:q}"
