# what the rules of expression.smk ask of the configuration


def expression_files():
    return [
        f"results/species/{species}/expression/{run}.tsv"
        for run, settings in SETTINGS["expression"].items()
        for species in settings["species"]
    ]


def expression_embeddings(wildcards):
    """Returns the embedding files of a run: each model and its untrained twin."""
    run = SETTINGS["expression"][wildcards.run]
    twins = ["", f".{RANDOM}"] if RANDOM in run["baselines"] else [""]
    folder = f"results/species/{wildcards.species}/embeddings"
    return [
        f"{folder}/expression.{wildcards.run}.{model}{twin}.h5ad"
        for model in run["models"]
        for twin in twins
    ]


def named_embeddings(wildcards, input):
    prefix = f"expression.{wildcards.run}."
    return [
        f"{Path(path).stem.removeprefix(prefix)}={path}" for path in input.embeddings
    ]


def expression_table(wildcards):
    return resource(SPECIES[wildcards.species]["expression"]["table"])


def expression_windows(wildcards):
    return f"results/species/{wildcards.species}/windows/{SETTINGS['expression'][wildcards.run]['windows']}.bed"


def expression_options(wildcards):
    run, entry = SETTINGS["expression"][wildcards.run], SPECIES[wildcards.species]
    table = entry["expression"]
    return options(
        gene_column=table.get("gene_column"),
        value_columns=table.get("value_columns"),
        count_columns=table.get("count_columns"),
        unit=table["unit"],
        baselines=[name for name in run["baselines"] if name != RANDOM],
        held_out=entry["held_out"],
        folds=run["folds"],
    )
