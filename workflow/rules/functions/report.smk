# what the rules of report.smk ask of the configuration


import json


def model_cards():
    """Returns model=card of the bundled and the trained checkpoints that the configuration uses."""
    trained = set(SETTINGS["training"])
    cards = [
        f"{model}=results/training/{model}/MODEL_CARD.md"
        for model in sorted(used_models() & trained)
    ]
    for model in sorted(used_models() - set(SETTINGS["models"]) - trained):
        card = ROOT / (configuration.model_folder(model) or "-") / "MODEL_CARD.md"
        cards += [f"{model}={card}"] if card.exists() else []
    return cards


def finished_runs():
    """Counts the model runs that are there: one more, and the cost of the others is another."""
    files = embedding_files() + segmentation_files()
    return sum(Path(path).exists() for path in files)


def genome_files():
    return [
        f"results/species/{species}/{name}"
        for species in SPECIES
        for name in ("genome.fa.manifest.json", "masked.fa.manifest.json", "masked.tsv")
    ]
