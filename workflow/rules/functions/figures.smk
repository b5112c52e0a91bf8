# what the rules of figures.smk ask of the configuration


ENDINGS = ("svg", "png", "85mm.svg", "85mm.png", "tsv")


def figure_stems():
    """Returns the figures that the configuration asks for, below results/figures, in the report's order."""
    stems = []
    for run in SETTINGS["figures"]["tracks"]:
        stems += [f"tracks.{species}.{run}" for species in drawable_species(run)]
    for run, settings in SETTINGS["expression"].items():
        stems += [f"expression.{species}.{run}" for species in settings["species"]]
    stems += ["tasks"] if TASKS else []
    for run in SETTINGS["figures"]["maps"]:
        stems += [
            f"map.{species}.{run}" for species in SETTINGS["embeddings"][run]["species"]
        ]
    for name in SETTINGS["figures"]["papers"]:
        stems += paper_stems(name)
    return stems


def drawable_species(run):
    """Tracks are drawn over genes, so for species with an annotation; genes named in the config belong to one."""
    return [
        species
        for species in SETTINGS["segmentation"][run]["species"]
        if SPECIES[species]["annotation"]
    ]


def figure_files():
    return [
        f"results/figures/{stem}.{ending}"
        for stem in figure_stems()
        for ending in ENDINGS
    ]


def track_options(wildcards):
    genes = SETTINGS["figures"]["tracks"][wildcards.run]
    run = SETTINGS["segmentation"][wildcards.run]
    return options(
        genes=None if genes == "auto" else genes,
        regions=region_list(run["regions"], wildcards.species),
        model=run["model"],
    )


def expression_unit(wildcards):
    return SPECIES[wildcards.species]["expression"]["unit"]


def map_options(wildcards, input):
    layer = SETTINGS["figures"]["maps"][wildcards.run]
    model = SETTINGS["embeddings"][wildcards.run]["model"]
    return options(
        layer=layer,
        model=model,
        genome=input.genome,
        annotation=input.annotation or None,
    )


def map_annotation(wildcards):
    has_genes = SPECIES[wildcards.species]["annotation"]
    return (
        f"results/species/{wildcards.species}/annotation.parquet" if has_genes else []
    )
