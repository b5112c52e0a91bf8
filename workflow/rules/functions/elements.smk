# what the rules of elements.smk ask of the configuration


def element_files():
    """Returns what is made of each segmentation run's tracks."""
    files = []
    for run, settings in SETTINGS["segmentation"].items():
        names = ["elements.bed", "elements.gff3"]
        names += ["hub/hub.txt", "igv_session.xml"] if settings["hub"] else []
        names += ["probabilities.zarr/manifest.json"] if settings["zarr"] else []
        for species in settings["species"]:
            folder = f"results/species/{species}/segmentation/{run}"
            files += [f"{folder}/{name}" for name in names]
    return files + browser_pages()


def browser_pages():
    """Returns a page of the genome browser for each run that makes files for browsers."""
    return [
        f"results/browser/{species}.{run}.html"
        for run, settings in SETTINGS["segmentation"].items()
        for species in (settings["species"] if settings["hub"] else [])
    ]


def browser_options(wildcards, input):
    run, entry = SETTINGS["segmentation"][wildcards.run], SPECIES[wildcards.species]
    held_out = ", ".join(entry["held_out"])
    return options(
        annotation=input.annotation or None,
        title=f"{wildcards.species.replace('_', ' ').capitalize()}: {run['model']}",
        note=f"Held out of training: {held_out}." if held_out else None,
    )


def element_options(wildcards):
    settings = SETTINGS["segmentation"][wildcards.run]["elements"]
    thresholds = [f"{feature}={t}" for feature, t in settings["thresholds"].items()]
    return options(**{**settings, "thresholds": thresholds})


def hub_annotation(wildcards):
    has_genes = SPECIES[wildcards.species]["annotation"]
    return (
        f"results/species/{wildcards.species}/annotation.parquet" if has_genes else []
    )


def hub_options(wildcards, input):
    return options(
        annotation=input.annotation or None,
        species=wildcards.species,
        model=SETTINGS["segmentation"][wildcards.run]["model"],
        ucsc_db=SPECIES[wildcards.species].get("ucsc_db"),
    )
