# what the rules of tasks.smk that train probes ask of the configuration


from dnalm.baselines import BASELINES, KMER_LENGTHS

# For the memory of probes, where neither the configuration nor the suite says it: rows and bases of a task,
# dimensions of a model; and how many copies of the features in float32 a probe holds.
UNKNOWN_ROWS, UNKNOWN_BP, UNKNOWN_DIMENSIONS = 50_000, 1000, 2560
COPIES = 5


def embedding_names(task, features):
    """Returns the files of embeddings of features, one per pooling, without suffix: mean pooling has no word of its own."""
    if features in BASELINES:
        return []
    return [
        features if pooling == "mean" else f"{features}.{pooling}"
        for pooling in task_settings(task)["pooling"]
    ]


def probe_features(wildcards):
    """A baseline is computed from the sequences; an embedding is a file."""
    names = embedding_names(wildcards.task, wildcards.features)
    return [f"results/tasks/{wildcards.task}/{name}.h5ad" for name in names]


def probe_feature_option(wildcards, input):
    return input.features or wildcards.features


def probe_options(wildcards):
    """The defaults of the script are left out: they change no parameter of an older result."""
    settings = task_settings(wildcards.task)
    penalties = settings["penalties"]
    return options(
        head=None if settings["head"] == "linear" else settings["head"],
        choose=None if settings["choose"] == "layer" else settings["choose"],
        penalties=",".join(map(str, penalties)) if penalties else None,
        optional=wildcards.features == "one_hot",
    )


def task_rows(task):
    """Returns how many rows a task has at most, as far as the configuration and its suite say."""
    settings = task_settings(task)
    most, known = settings["max_examples"], published_task_row(task)
    if known and known.sizes:
        return sum(min(size, most or size) for size in known.sizes.values())
    return 3 * most if most else UNKNOWN_ROWS


def feature_columns(task, features):
    """Returns how many columns a set of features has at most, of one layer."""
    if features == "one_hot":
        known = published_task_row(task)
        return 4 * (known.longest_bp if known and known.longest_bp else UNKNOWN_BP)
    if features in BASELINES:
        return sum(4**k for k in KMER_LENGTHS)
    return model_facts(features.partition(".")[0]).embed_dim or UNKNOWN_DIMENSIONS


def probe_memory(wildcards, attempt):
    """Returns the memory in MB: features as read, standardised and on the device, and what the solver keeps."""
    values = task_rows(wildcards.task) * feature_columns(
        wildcards.task, wildcards.features
    )
    return (4000 + COPIES * 4 * values // 1_000_000) * attempt


def probe_outputs(wildcards):
    return [
        f"results/tasks/{wildcards.task}/{name}/folds.tsv"
        for name in task_features(wildcards.task) + fine_tuned(wildcards.task)
    ]


EMBEDDED = {
    name
    for task in TASKS
    for features in task_features(task)
    for name in embedding_names(task, features)
}
