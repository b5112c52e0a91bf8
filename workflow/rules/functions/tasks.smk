# what the rules of tasks.smk ask of the configuration


from dataclasses import asdict

from dnalm import leaderboard, suites


def task_species():
    """Returns task -> (entry of the config, species); a task of the annotation suite exists per species.

    Published and own tasks are of no species (None).
    """
    found = {}
    for name, task in SETTINGS["tasks"].items():
        if task["suite"] == "annotation":
            found |= {
                f"{name}.{species}": (name, species) for species in task["species"]
            }
        else:
            found[name] = (name, None)
    return found


TASKS = task_species()


def tasks_without_species():
    return {name for name, (_, species) in TASKS.items() if species is None}


def published_tasks():
    return {
        name
        for name in tasks_without_species()
        if task_settings(name)["suite"] in suites.SUITES
    }


def published_task_row(task):
    """Returns what the publisher says of a task, None of others."""
    settings = task_settings(task)
    if settings["suite"] not in suites.SUITES:
        return None
    return suites.suite_task(settings["suite"], settings["task"])


def published_task(wildcards):
    """The row, never the table: a suite's new row runs nothing again."""
    row = published_task_row(wildcards.task)
    return asdict(row) if row else {}


def fetch_task_options(wildcards):
    settings = task_settings(wildcards.task)
    return options(suite=settings["suite"], task=settings["task"])


def task_source(wildcards):
    """Returns the record of a published task, or the files of an own one."""
    if wildcards.task in published_tasks():
        return {"record": f"results/tasks/{wildcards.task}/source.json"}
    settings = task_settings(wildcards.task)
    return {
        key: resource(settings[key])
        for key in ("data", "validation_data", "test_data")
        if key in settings
    }


def import_task_options(wildcards, input):
    settings = task_settings(wildcards.task)
    own = settings["suite"] not in suites.SUITES
    return options(
        **dict(input.items()),
        task=settings.get("task") if own else None,
        type=settings.get("type"),
        metric=settings.get("metric"),
        folds=settings["folds"],
        duplicates=settings["duplicates"],
        max_examples=settings["max_examples"],
        context_bp=settings.get("context_bp"),
    )


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


def task_summaries():
    return [f"results/tasks/{task}/summary.tsv" for task in TASKS]


def task_manifests():
    return [f"results/tasks/{task}/data.parquet.manifest.json" for task in TASKS]


def task_files():
    table = ["results/tasks/leaderboard.tsv"] if TASKS else []
    return task_summaries() + table


def published_scores():
    """Returns the published scores of the tasks, never the table: another task's run nothing again."""
    wanted = {(task["suite"], task.get("task")) for task in SETTINGS["tasks"].values()}
    return [
        "\t".join(row.values())
        for row in leaderboard.read_published()
        if (row["suite"], row["task"]) in wanted
    ]


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
        length_bp=settings.get("length_bp"),
        context_bp=settings.get("context_bp"),
    )


def task_embed_options(wildcards):
    settings = task_settings(wildcards.task)
    layers = settings["layers"]
    _, *words = wildcards.features.split(".")
    pooling = [word for word in words if word != RANDOM]
    return options(
        layers=layers if isinstance(layers, str) else ",".join(map(str, layers)),
        pooling=pooling[0] if pooling else None,
        precision=precision_option(settings),
        random_weights=RANDOM_SEED if RANDOM in words else None,
    ) + split_options(settings)


def task_checkpoint(wildcards):
    return f"results/models/{wildcards.features.partition('.')[0]}/params.safetensors"


def task_threads(wildcards):
    species = TASKS[wildcards.task][1]
    return model_threads(species) if species else 2


def task_memory(wildcards, attempt):
    model = wildcards.features.partition(".")[0]
    precision = task_settings(wildcards.task)["precision"]
    return model_memory(model, precision) * attempt


def embed_task_runtime(wildcards, attempt):
    """Returns the time limit in minutes, from the task's sequences as its suite counts them and the model's size."""
    settings = task_settings(wildcards.task)
    facts = model_facts(wildcards.features.partition(".")[0])
    work = cost.task_work(settings, facts, resource)
    return work.limit_minutes(facts, settings["precision"], DEVICE) * attempt
