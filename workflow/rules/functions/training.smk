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
    folders = [f"results/species/{species}" for species in trained_species(entry)]
    inputs = {
        "genome": [f"{folder}/masked.fa" for folder in folders],
        "index": [f"{folder}/masked.fa.fai" for folder in folders],
        "settings": resource(entry["settings"]),
    }
    if entry["kind"] == "segmentation":
        inputs["annotation"] = f"{folders[0]}/annotation.parquet"
        if entry.get("homologs"):
            inputs["homologs"] = resource(entry["homologs"])
    if entry.get("tokenizer"):
        inputs["tokenizer"] = named_tokenizer(entry["tokenizer"])
    if entry.get("initial"):
        trained = entry["initial"] in SETTINGS["training"]
        parent = "training" if trained else "models"
        inputs["initial"] = f"results/{parent}/{entry['initial']}/params.safetensors"
    return inputs


def named_tokenizer(name):
    """Returns the file of a tokenizer: one that is learned here, or the user's own."""
    learned = name in SETTINGS["tokenizers"]
    return f"results/tokenizers/{name}/tokenizer.json" if learned else resource(name)


def trained_species(entry):
    species = entry["species"]
    return [species] if isinstance(species, str) else list(species)


def training_options(wildcards, input):
    """Returns genomes, held-out regions and the start; of several species, contigs are SPECIES/contig."""
    entry = SETTINGS["training"][wildcards.model]
    initial = str(Path(input.initial).parent) if entry.get("initial") else None
    species = trained_species(entry)
    several = len(species) > 1
    genomes = [
        f"{name}={path}" if several else path
        for name, path in zip(species, input.genome, strict=True)
    ]
    return options(
        genome=genomes,
        held_out=[
            f"{name}/{region}" if several else region
            for name in species
            for region in SPECIES[name]["held_out"]
        ],
        initial=initial,
        validation=entry.get("validation"),
        homologs=input.get("homologs"),
        tokenizer=input.get("tokenizer"),
    )
