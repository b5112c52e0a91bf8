# what the rules of training.smk ask of the configuration


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
    return options(
        held_out=SPECIES[entry["species"]]["held_out"],
        initial=initial,
        validation=entry.get("validation"),
    )
