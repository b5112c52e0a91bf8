# task and checkpoint -> adapters and heads, one per fold, scored beside the probes


rule finetune:
    input:
        table="results/tasks/{task}/data.parquet",
        checkpoint=task_checkpoint,
    output:
        folds="results/tasks/{task}/{features}/folds.tsv",
        sweep="results/tasks/{task}/{features}/sweep.tsv",
        predictions="results/tasks/{task}/{features}/predictions.parquet",
        adapter="results/tasks/{task}/{features}/adapter.safetensors",
        manifest="results/tasks/{task}/{features}/manifest.json",
    log:
        "results/logs/finetune/{task}.{features}.log",
    benchmark:
        "results/runtimes/finetune/{task}.{features}.tsv"
    wildcard_constraints:
        task=one_of(TASKS),
        features=one_of({name for task in TASKS for name in fine_tuned(task)}),
    retries: 1
    conda:
        MODEL_ENV
    threads: 2
    resources:
        mem_mb=task_memory,
        runtime=lambda wildcards, attempt: 1440 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["finetune"],
        options=fine_tune_options,
        checkpoint=checkpoint_folder,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/finetune.py --task {input.table:q} --checkpoint {params.checkpoint:q}'
        ' --name {wildcards.features:q} {params.options:q} --device "$DEVICE" --work-dir results/.work'
        " --output-dir {params.folder:q} 2> {log:q}"
