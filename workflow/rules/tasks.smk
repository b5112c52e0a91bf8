# annotation -> benchmark task -> embeddings -> cross-validated probes beside the baselines


def task_species():
    """Returns task -> (entry of the config, species); a task of the annotation suite exists per species."""
    return {
        f"{name}.{species}": (name, species)
        for name, task in SETTINGS["tasks"].items()
        for species in task["species"]
    }


TASKS = task_species()


def task_settings(task):
    return SETTINGS["tasks"][TASKS[task][0]]


def task_features(task):
    """Returns the feature sets of a task: models, their untrained twins, and baselines of the sequence."""
    settings = task_settings(task)
    models = list(settings["models"])
    if RANDOM in settings["baselines"]:
        models += [f"{model}.{RANDOM}" for model in settings["models"]]
    return models + [
        baseline for baseline in settings["baselines"] if baseline != RANDOM
    ]


def task_files():
    return [f"results/tasks/{task}/summary.tsv" for task in TASKS]


def task_data_input(wildcards):
    species = TASKS[wildcards.task][1]
    folder = f"results/species/{species}"
    return {
        "genome": f"{folder}/masked.fa",
        "index": f"{folder}/masked.fa.fai",
        "annotation": f"{folder}/annotation.parquet",
    }


def task_data_options(wildcards):
    settings, species = task_settings(wildcards.task), TASKS[wildcards.task][1]
    return options(
        task=settings["task"],
        regions=region_list(settings["regions"], species),
        folds=settings["folds"],
        max_examples=settings["max_examples"],
    )


def task_embed_options(wildcards):
    layers = task_settings(wildcards.task)["layers"]
    model, _, twin = wildcards.features.partition(".")
    return options(
        layers=layers if isinstance(layers, str) else ",".join(map(str, layers)),
        random_weights=RANDOM_SEED if twin == RANDOM else None,
    )


def task_checkpoint(wildcards):
    return f"results/models/{wildcards.features.partition('.')[0]}/params.safetensors"


def probe_features(wildcards):
    """A baseline is computed from the sequences; an embedding is a file."""
    if wildcards.features in ("kmer", "one_hot"):
        return []
    return f"results/tasks/{wildcards.task}/{wildcards.features}.h5ad"


def probe_feature_option(wildcards, input):
    return input.features or wildcards.features


def probe_outputs(wildcards):
    return [
        f"results/tasks/{wildcards.task}/{name}/folds.tsv"
        for name in task_features(wildcards.task)
    ]


EMBEDDED = {
    name
    for task in TASKS
    for name in task_features(task)
    if name not in ("kmer", "one_hot")
}


def task_threads(wildcards):
    return model_threads(TASKS[wildcards.task][1])


rule make_task:
    input:
        unpack(task_data_input),
    output:
        table="results/tasks/{task}/data.parquet",
        manifest="results/tasks/{task}/data.parquet.manifest.json",
    log:
        "results/logs/make_task/{task}.log",
    benchmark:
        "results/runtimes/make_task/{task}.tsv"
    wildcard_constraints:
        task=one_of(TASKS),
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
        "{PYTHON:q} {SCRIPTS:q}/make_task.py --genome {input.genome:q} --annotation {input.annotation:q}"
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
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["embed"],
        options=task_embed_options,
        checkpoint=checkpoint_folder,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/embed.py --checkpoint {params.checkpoint:q} --sequences {input.table:q}"
        " {params.options:q} --dtype float32 --device {DEVICE:q} --work-dir results/.work"
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
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["probe"],
        features=probe_feature_option,
        folder="results/tasks/{task}/{features}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/train_probe.py --task {input.table:q} --features {params.features:q}"
        " --name {wildcards.features:q} --output-dir {params.folder:q} 2> {log:q}"


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
        "{PYTHON:q} {SCRIPTS:q}/summarise_task.py --probes {input.folds:q} --output {output.table:q} 2> {log:q}"
