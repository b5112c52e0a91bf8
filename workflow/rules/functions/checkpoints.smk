# what the rules of checkpoints.smk ask of the configuration


def checkpoint_source(wildcards):
    """Returns a folder of `models:` or of a training, the record of a download, or a bundled model's name."""
    folder = SETTINGS["models"].get(wildcards.model)
    if folder:
        return resource(folder)
    if wildcards.model in SETTINGS["training"]:
        return f"results/training/{wildcards.model}"
    return (checkpoint_record(wildcards) or [wildcards.model])[0]


def checkpoint_record(wildcards):
    """Says what was fetched and where it lies, or what is trained first; nothing for folders and bundled models."""
    if wildcards.model in SETTINGS["training"]:
        return [f"results/training/{wildcards.model}/params.safetensors"]
    if wildcards.model not in published_models():
        return []
    return [f"results/models/{wildcards.model}.source.json"]


def checkpoint_row(wildcards):
    """The row, never the table: adding a checkpoint runs nothing again that exists."""
    return (
        []
        if wildcards.model in SETTINGS["models"]
        or wildcards.model in SETTINGS["training"]
        else configuration.row_text(wildcards.model)
    )


def used_models():
    runs = [
        run
        for section in configuration.RUN_SECTIONS
        for run in SETTINGS[section].values()
    ]
    drawn = configuration.models_of_papers(SETTINGS["figures"]["papers"])
    starts = {
        entry["initial"]
        for entry in SETTINGS["training"].values()
        if entry.get("initial") and entry["initial"] not in SETTINGS["training"]
    }
    used = {model for run in runs for model in configuration.models_of(run)}
    return used | set(drawn) | starts


def published_models():
    """Returns the models that come from the hub."""
    return {
        model
        for model in used_models()
        if model not in SETTINGS["models"]
        and model not in SETTINGS["training"]
        and not configuration.model_folder(model)
    }


def checkpoint_folder(wildcards, input):
    """Returns the folder of a converted checkpoint, as the scripts take it."""
    return str(Path(input.checkpoint).parent)
