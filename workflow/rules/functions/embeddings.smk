# what the rules of embeddings.smk ask of the configuration


RANDOM = "random_weights"  # the same network untrained: the baseline of every model
RANDOM_SEED = 0


def embedding_runs():
    """Returns run -> settings: the runs of the config, and those that the expression runs need."""
    runs = {name: dict(run) for name, run in SETTINGS["embeddings"].items()}
    for name, run in SETTINGS["expression"].items():
        for model in run["models"]:
            runs[f"expression.{name}.{model}"] = {
                **run,
                "model": model,
                "dtype": "float32",
            }
            if RANDOM in run["baselines"]:
                runs[f"expression.{name}.{model}.{RANDOM}"] = {
                    **runs[f"expression.{name}.{model}"],
                    "random_weights": RANDOM_SEED,
                }
    return runs


EMBEDDING_RUNS = embedding_runs()


# Every token's embedding is a Zarr folder, pooled ones an AnnData file.
TOKEN_RUNS = [
    run for run, settings in EMBEDDING_RUNS.items() if settings["pooling"] == "none"
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
    )


def embed_windows(wildcards):
    return f"results/species/{wildcards.species}/windows/{EMBEDDING_RUNS[wildcards.run]['windows']}.bed"


def embed_checkpoint(wildcards):
    return f"results/models/{EMBEDDING_RUNS[wildcards.run]['model']}/params.safetensors"


def embed_threads(wildcards):
    return model_threads(wildcards.species)


def embed_memory(wildcards, attempt):
    run = EMBEDDING_RUNS[wildcards.run]
    return model_memory(run["model"], run["precision"]) * attempt
