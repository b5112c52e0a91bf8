# windows or sequences + checkpoint -> embeddings


rule embed:
    input:
        genome="results/species/{species}/masked.fa",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
    output:
        embeddings="results/species/{species}/embeddings/{run}.h5ad",
        manifest="results/species/{species}/embeddings/{run}.h5ad.manifest.json",
    log:
        "results/logs/embed/{species}.{run}.log",
    benchmark:
        "results/runtimes/embed/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(set(EMBEDDING_RUNS) - set(TOKEN_RUNS)),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=embed_memory,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["embed"],
        options=embed_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' --windows {input.windows:q} {params.options:q} --device "$DEVICE"'
        " --work-dir results/.work --output {output.embeddings:q} 2> {log:q}"


rule embed_tokens:
    input:
        genome="results/species/{species}/masked.fa",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
    output:
        manifest="results/species/{species}/embeddings/{run}.zarr/manifest.json",
    log:
        "results/logs/embed_tokens/{species}.{run}.log",
    benchmark:
        "results/runtimes/embed_tokens/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(TOKEN_RUNS),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=embed_memory,
        runtime=lambda wildcards, attempt: 240 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["embed"],
        options=embed_options,
        checkpoint=checkpoint_folder,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' --windows {input.windows:q} {params.options:q} --device "$DEVICE"'
        " --work-dir results/.work --output {params.folder:q} 2> {log:q}"
