# windows or sequences + checkpoint -> embeddings


rule embed:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
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
        run=one_of(embedding_runs_of(tokens=[False], parts=False)),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=embed_memory,
        runtime=embed_runtime,
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
        index="results/species/{species}/masked.fa.fai",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
    output:
        manifest="results/species/{species}/embeddings/{run}.zarr/manifest.json",
    log:
        "results/logs/embed_tokens/{species}.{run}.log",
    benchmark:
        "results/runtimes/embed_tokens/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(embedding_runs_of(tokens=[True], parts=False)),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=embed_memory,
        runtime=embed_runtime,
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


rule embed_part:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
    output:
        part=temp(
            "results/species/{species}/embeddings/{run}.parts/{part}-of-{parts}.json"
        ),
    log:
        "results/logs/embed_part/{species}.{run}.{part}-of-{parts}.log",
    benchmark:
        "results/runtimes/embed_part/{species}.{run}.{part}-of-{parts}.tsv"
    wildcard_constraints:
        run=one_of(embedding_runs_of(parts=True)),
        part=r"\d+",
        parts=r"\d+",
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=embed_memory,
        runtime=embed_runtime,
        gpu=GPUS,
    params:
        version=VERSIONS["embed"],
        options=embed_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' --windows {input.windows:q} {params.options:q} --device "$DEVICE" --work-dir results/.work'
        " --part {wildcards.part}/{wildcards.parts} --output {output.part:q} 2> {log:q}"


rule gather_embeddings:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
        parts=embed_parts,
    output:
        embeddings="results/species/{species}/embeddings/{run}.h5ad",
        manifest="results/species/{species}/embeddings/{run}.h5ad.manifest.json",
    log:
        "results/logs/gather_embeddings/{species}.{run}.log",
    benchmark:
        "results/runtimes/gather_embeddings/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(embedding_runs_of(tokens=[False], parts=True)),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["embed"],
        options=embed_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        " --windows {input.windows:q} {params.options:q} --gather {input.parts:q}"
        " --output {output.embeddings:q} 2> {log:q}"


rule gather_tokens:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        windows=embed_windows,
        checkpoint=embed_checkpoint,
        parts=embed_parts,
    output:
        manifest="results/species/{species}/embeddings/{run}.zarr/manifest.json",
    log:
        "results/logs/gather_tokens/{species}.{run}.log",
    benchmark:
        "results/runtimes/gather_tokens/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(embedding_runs_of(tokens=[True], parts=True)),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["embed"],
        options=embed_options,
        checkpoint=checkpoint_folder,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        " --windows {input.windows:q} {params.options:q} --gather {input.parts:q}"
        " --output {params.folder:q} 2> {log:q}"
