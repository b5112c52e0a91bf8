# checkpoint of any published format, or a bundled one -> one format


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


localrules:
    convert_checkpoint,


rule convert_checkpoint:
    output:
        params="results/models/{model}/params.safetensors",
        config="results/models/{model}/config.json",
        manifest="results/models/{model}/manifest.json",
    log:
        "results/logs/convert_checkpoint/{model}.log",
    benchmark:
        "results/runtimes/convert_checkpoint/{model}.tsv"
    wildcard_constraints:
        model=one_of(used_models()),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        version=VERSIONS["checkpoint"],
        source=checkpoint_source,
        row=checkpoint_row,
        folder="results/models/{model}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/convert_checkpoint.py --checkpoint {params.source:q}"
        " --output-dir {params.folder:q} 2> {log:q}"
