# annotation, published suite or own file -> benchmark task -> embeddings -> cross-validated probes beside
# the baselines


localrules:
    fetch_task,


rule fetch_task:
    output:
        record="results/tasks/{task}/source.json",
    log:
        "results/logs/fetch_task/{task}.log",
    benchmark:
        "results/runtimes/fetch_task/{task}.tsv"
    wildcard_constraints:
        task=one_of(published_tasks()),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=720,
    params:
        version=VERSIONS["dataset"],
        row=published_task,
        options=fetch_task_options,
    shell:
        'python "$SCRIPTS"/fetch_task.py {params.options:q} --lock-file config/tasks.lock.json'
        " --output {output.record:q} 2> {log:q} >&2"


rule import_task:
    input:
        unpack(task_source),
    output:
        table="results/tasks/{task}/data.parquet",
        leakage="results/tasks/{task}/leakage.tsv",
        manifest="results/tasks/{task}/data.parquet.manifest.json",
    log:
        "results/logs/import_task/{task}.log",
    benchmark:
        "results/runtimes/import_task/{task}.tsv"
    wildcard_constraints:
        task=one_of(tasks_without_species()),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        version=VERSIONS["task"],
        row=published_task,
        options=import_task_options,
    shell:
        'python "$SCRIPTS"/import_task.py {params.options:q} --output {output.table:q} 2> {log:q}'


rule make_task:
    input:
        unpack(task_data_input),
    output:
        table="results/tasks/{task}/data.parquet",
        leakage="results/tasks/{task}/leakage.tsv",
        manifest="results/tasks/{task}/data.parquet.manifest.json",
    log:
        "results/logs/make_task/{task}.log",
    benchmark:
        "results/runtimes/make_task/{task}.tsv"
    wildcard_constraints:
        task=one_of(set(TASKS) - tasks_without_species()),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        version=VERSIONS["task"],
        options=task_data_options,
    shell:
        'python "$SCRIPTS"/make_task.py --genome {input.genome:q} --annotation {input.annotation:q}'
        " {params.options:q} --output {output.table:q} 2> {log:q}"


rule embed_task:
    input:
        table="results/tasks/{task}/data.parquet",
        checkpoint=task_checkpoint,
    output:
        embeddings="results/tasks/{task}/{features}.h5ad",
        manifest="results/tasks/{task}/{features}.h5ad.manifest.json",
    log:
        "results/logs/embed_task/{task}.{features}.log",
    benchmark:
        "results/runtimes/embed_task/{task}.{features}.tsv"
    wildcard_constraints:
        task=one_of(TASKS),
        features=one_of(EMBEDDED),
    retries: 1
    conda:
        MODEL_ENV
    threads: task_threads
    resources:
        mem_mb=task_memory,
        runtime=embed_task_runtime,
        gpu=GPUS,
    params:
        version=VERSIONS["embed"],
        options=task_embed_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/embed.py --checkpoint {params.checkpoint:q} --sequences {input.table:q}'
        ' {params.options:q} --dtype float32 --device "$DEVICE" --work-dir results/.work'
        " --output {output.embeddings:q} 2> {log:q}"


rule train_probe:
    input:
        table="results/tasks/{task}/data.parquet",
        features=probe_features,
    output:
        folds="results/tasks/{task}/{features}/folds.tsv",
        predictions="results/tasks/{task}/{features}/predictions.parquet",
        manifest="results/tasks/{task}/{features}/manifest.json",
    log:
        "results/logs/train_probe/{task}.{features}.log",
    benchmark:
        "results/runtimes/train_probe/{task}.{features}.tsv"
    wildcard_constraints:
        task=one_of(TASKS),
        features=one_of({name for task in TASKS for name in task_features(task)}),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=probe_memory,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        version=VERSIONS["probe"],
        features=probe_feature_option,
        options=probe_options,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/train_probe.py --task {input.table:q} --features {params.features:q}'
        " --name {wildcards.features:q} {params.options:q} --output-dir {params.folder:q} 2> {log:q}"


rule summarise_task:
    input:
        folds=probe_outputs,
    output:
        table="results/tasks/{task}/summary.tsv",
        manifest="results/tasks/{task}/summary.tsv.manifest.json",
    log:
        "results/logs/summarise_task/{task}.log",
    benchmark:
        "results/runtimes/summarise_task/{task}.tsv"
    wildcard_constraints:
        task=one_of(TASKS),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        version=VERSIONS["probe"],
    shell:
        'python "$SCRIPTS"/summarise_task.py --probes {input.folds:q} --output {output.table:q} 2> {log:q}'


rule make_leaderboard:
    input:
        summaries=task_summaries(),
        data=task_manifests(),
    output:
        table="results/tasks/leaderboard.tsv",
        manifest="results/tasks/leaderboard.tsv.manifest.json",
    log:
        "results/logs/make_leaderboard/leaderboard.log",
    benchmark:
        "results/runtimes/make_leaderboard/leaderboard.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=10,
    params:
        version=VERSIONS["leaderboard"],
        published=published_scores(),
    shell:
        'python "$SCRIPTS"/make_leaderboard.py --summaries {input.summaries:q} --output {output.table:q} 2> {log:q}'
