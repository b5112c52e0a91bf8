# checkpoints trained at the user's own site; no other target needs them: `snakemake train`


def training_files():
    return [
        f"results/training/{model}/params.safetensors" for model in SETTINGS["training"]
    ]


def training_kind(kind):
    return one_of(
        name for name, entry in SETTINGS["training"].items() if entry["kind"] == kind
    )


def training_input(wildcards):
    entry = SETTINGS["training"][wildcards.model]
    folder = f"results/species/{entry['species']}"
    inputs = {
        "genome": f"{folder}/masked.fa",
        "index": f"{folder}/masked.fa.fai",
        "settings": resource(entry["settings"]),
    }
    if entry["kind"] == "segmentation":
        inputs["annotation"] = f"{folder}/annotation.parquet"
    if entry.get("initial"):
        trained = entry["initial"] in SETTINGS["training"]
        parent = "training" if trained else "models"
        inputs["initial"] = f"results/{parent}/{entry['initial']}/params.safetensors"
    return inputs


def training_options(wildcards, input):
    entry = SETTINGS["training"][wildcards.model]
    initial = str(Path(input.initial).parent) if entry.get("initial") else None
    return options(held_out=SPECIES[entry["species"]]["held_out"], initial=initial)


localrules:
    train,


rule train:
    input:
        training_files(),


rule pretrain:
    input:
        unpack(training_input),
    output:
        params="results/training/{model}/params.safetensors",
        config="results/training/{model}/config.json",
        card="results/training/{model}/MODEL_CARD.md",
        manifest="results/training/{model}/manifest.json",
    log:
        "results/logs/pretrain/{model}.log",
    benchmark:
        "results/runtimes/pretrain/{model}.tsv"
    wildcard_constraints:
        model=training_kind("pretrain"),
    retries: 1
    conda:
        MODEL_ENV
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=1440,
        gpu=GPUS,
    params:
        version=VERSIONS["pretrain"],
        options=training_options,
        folder="results/training/{model}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/pretrain.py --name {wildcards.model:q} --genome {input.genome:q}"
        " --config {input.settings:q} {params.options:q} --device {DEVICE:q}"
        " --work-dir results/.work/training/{wildcards.model:q} --output-dir {params.folder:q} 2> {log:q}"


rule train_segmentation:
    input:
        unpack(training_input),
    output:
        params="results/training/{model}/params.safetensors",
        config="results/training/{model}/config.json",
        card="results/training/{model}/MODEL_CARD.md",
        manifest="results/training/{model}/manifest.json",
    log:
        "results/logs/train_segmentation/{model}.log",
    benchmark:
        "results/runtimes/train_segmentation/{model}.tsv"
    wildcard_constraints:
        model=training_kind("segmentation"),
    retries: 1
    conda:
        MODEL_ENV
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=1440,
        gpu=GPUS,
    params:
        version=VERSIONS["train_segmentation"],
        options=training_options,
        folder="results/training/{model}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/train_segmentation.py --name {wildcards.model:q} --genome {input.genome:q}"
        " --annotation {input.annotation:q} --config {input.settings:q} {params.options:q} --device {DEVICE:q}"
        " --work-dir results/.work/training/{wildcards.model:q} --output-dir {params.folder:q} 2> {log:q}"
