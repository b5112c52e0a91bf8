# what the rules of checkpoints.smk ask of the configuration


def checkpoint_source(wildcards):
    """Returns a folder of `models:`, else the name of a row of models.tsv."""
    folder = SETTINGS["models"].get(wildcards.model)
    return resource(folder) if folder else wildcards.model


def checkpoint_row(wildcards):
    """The row, never the table: adding a checkpoint runs nothing again that exists."""
    return (
        []
        if wildcards.model in SETTINGS["models"]
        else configuration.row_text(wildcards.model)
    )


def used_models():
    runs = [
        run
        for section in configuration.RUN_SECTIONS
        for run in SETTINGS[section].values()
    ]
    return {model for run in runs for model in configuration.models_of(run)}


def checkpoint_folder(wildcards, input):
    """Returns the folder of a converted checkpoint, as the scripts take it."""
    return str(Path(input.checkpoint).parent)
