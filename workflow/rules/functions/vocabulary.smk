# what the rules of vocabulary.smk ask of the configuration


def tokenizer_files():
    names = SETTINGS["tokenizers"]
    tables = [f"results/tokenizers/{name}/tokenizer.json" for name in names]
    return tables + [f"results/figures/vocabulary.{name}.svg" for name in names]


def tokenizer_genome(wildcards):
    species = SETTINGS["tokenizers"][wildcards.tokenizer]["species"]
    return {
        "genome": f"results/species/{species}/masked.fa",
        "index": f"results/species/{species}/masked.fa.fai",
    }


def tokenizer_options(wildcards):
    entry = SETTINGS["tokenizers"][wildcards.tokenizer]
    numbers = {key: value for key, value in entry.items() if key != "species"}
    return options(held_out=SPECIES[entry["species"]]["held_out"], **numbers)


def tokenizer_species(wildcards):
    return SETTINGS["tokenizers"][wildcards.tokenizer]["species"]
