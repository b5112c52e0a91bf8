# expression table + embeddings of TSS windows -> cross-validated ridge regression beside the baselines


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


rule predict_expression:
    input:
        table=expression_table,
        windows=expression_windows,
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        embeddings=expression_embeddings,
    output:
        table="results/species/{species}/expression/{run}.tsv",
        predictions="results/species/{species}/expression/{run}.predictions.parquet",
        manifest="results/species/{species}/expression/{run}.tsv.manifest.json",
    log:
        "results/logs/predict_expression/{species}.{run}.log",
    benchmark:
        "results/runtimes/predict_expression/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["expression"]),
    conda:
        "../envs/analysis.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=120,
    params:
        version=VERSIONS["expression"],
        options=expression_options,
        embeddings=named_embeddings,
    shell:
        "{PYTHON:q} {SCRIPTS:q}/predict_expression.py --table {input.table:q} --windows {input.windows:q}"
        " --genome {input.genome:q} --embeddings {params.embeddings:q} {params.options:q}"
        " --output {output.table:q} --predictions {output.predictions:q} 2> {log:q}"
