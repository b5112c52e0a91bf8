# what the rules of tasks.smk ask of the configuration


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
    settings = task_settings(wildcards.task)
    layers = settings["layers"]
    model, _, twin = wildcards.features.partition(".")
    return options(
        layers=layers if isinstance(layers, str) else ",".join(map(str, layers)),
        precision=precision_option(settings),
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


def task_memory(wildcards, attempt):
    model = wildcards.features.partition(".")[0]
    precision = task_settings(wildcards.task)["precision"]
    return model_memory(model, precision) * attempt
