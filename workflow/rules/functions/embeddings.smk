# what the rules of embeddings.smk ask of the configuration


RANDOM, RANDOM_SEED = configuration.RANDOM, configuration.RANDOM_SEED
EMBEDDING_RUNS = configuration.embedding_runs(SETTINGS)


# Every token's embedding is a Zarr folder, pooled ones an AnnData file.
TOKEN_RUNS = [
    run for run, settings in EMBEDDING_RUNS.items() if settings["pooling"] == "none"
]


def embedding_runs_of(parts, tokens=(False, True)):
    """Returns the runs whose work one job does, or several share, of one kind of result or both."""
    return [
        name
        for name, run in EMBEDDING_RUNS.items()
        if (name in TOKEN_RUNS) in tokens and (run["parts"] > 1) == parts
    ]


def embedding_files():
    """Returns the files of the runs that the config names itself."""
    return [
        f"results/species/{species}/embeddings/{run}.{'zarr/manifest.json' if run in TOKEN_RUNS else 'h5ad'}"
        for run, settings in SETTINGS["embeddings"].items()
        for species in settings["species"]
    ]


def precision_option(run):
    """Returns the precision, None for the default: left out it changes no parameter of an older result."""
    return None if run["precision"] == "float32" else run["precision"]


def split_options(run):
    """Returns what becomes of inputs beyond the model's tokens; nothing for the default, as above."""
    if run.get("long_inputs", "refuse") == "refuse":  # expression has no such key
        return []
    return options(long_inputs=run["long_inputs"], split_overlap=run["split_overlap"])


def embed_options(wildcards):
    run = EMBEDDING_RUNS[wildcards.run]
    layers = (
        run["layers"]
        if isinstance(run["layers"], str)
        else ",".join(map(str, run["layers"]))
    )
    return options(
        layers=layers,
        pooling=run["pooling"],
        reverse_complement=run["reverse_complement"],
        dtype=run["dtype"],
        precision=precision_option(run),
        random_weights=run.get("random_weights"),
    ) + split_options(run)


def embed_windows(wildcards):
    return f"results/species/{wildcards.species}/windows/{EMBEDDING_RUNS[wildcards.run]['windows']}.bed"


def embed_checkpoint(wildcards):
    return f"results/models/{EMBEDDING_RUNS[wildcards.run]['model']}/params.safetensors"


def embed_parts(wildcards):
    count = EMBEDDING_RUNS[wildcards.run]["parts"]
    folder = f"results/species/{wildcards.species}/embeddings/{wildcards.run}.parts"
    return [f"{folder}/{number}-of-{count}.json" for number in range(1, count + 1)]


def embed_runtime(wildcards, attempt):
    """Returns the time limit in minutes, from the windows' tokens and the model's size."""
    run = EMBEDDING_RUNS[wildcards.run]
    window_set = SPECIES[wildcards.species]["windows"][run["windows"]]
    facts = model_facts(run["model"])
    bases = genome_bp(wildcards.species)
    work = cost.embedding_work(run, window_set, facts, bases, resource)
    return work.limit_minutes(facts, run["precision"], DEVICE) * attempt


def embed_threads(wildcards):
    return model_threads(wildcards.species)


def embed_memory(wildcards, attempt):
    run = EMBEDDING_RUNS[wildcards.run]
    return model_memory(run["model"], run["precision"]) * attempt
