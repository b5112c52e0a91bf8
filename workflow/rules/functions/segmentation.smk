# what the rules of segmentation.smk ask of the configuration


def region_list(wanted, species):
    """Returns the regions a setting means: all is the whole genome, held_out too where none is named."""
    if wanted == "all":
        return []
    return SPECIES[species]["held_out"] if wanted == "held_out" else wanted


def track_names(run):
    """Returns the bigWig names of a run, known from models.tsv before it starts."""
    facts = model_facts(SETTINGS["segmentation"][run]["model"])
    slugs = [slug(feature) for feature in facts.features]
    strands = (".plus", ".minus") if facts.labels == "own_strand" else ("",)
    return [f"{name}{strand}.bw" for name in slugs for strand in strands]


def segmentation_files():
    files = []
    for run, settings in SETTINGS["segmentation"].items():
        for species in settings["species"]:
            folder = f"results/species/{species}/segmentation/{run}"
            files += [f"{folder}/manifest.json"]
            files += [f"{folder}.metrics.tsv"] if SPECIES[species]["annotation"] else []
    return files


def segmentation_runs(parts):
    """Returns the runs whose work several jobs share, or those of one job."""
    runs = SETTINGS["segmentation"]
    return [name for name, run in runs.items() if (run["parts"] > 1) == parts]


def segment_bed(wildcards):
    """The BED of a run's regions is an input: editing it predicts them again."""
    bed = SETTINGS["segmentation"][wildcards.run].get("bed")
    return [resource(bed)] if bed else []


def segment_parts(wildcards):
    count = SETTINGS["segmentation"][wildcards.run]["parts"]
    folder = f"results/species/{wildcards.species}/segmentation/{wildcards.run}.parts"
    return [f"{folder}/{number}-of-{count}.json" for number in range(1, count + 1)]


def segment_options(wildcards):
    run = SETTINGS["segmentation"][wildcards.run]
    own_strand = model_facts(run["model"]).labels == "own_strand"
    bed = run.get("bed")
    return options(
        regions=[] if bed else region_list(run["regions"], wildcards.species),
        bed=resource(bed) if bed else None,
        context_bp=run.get("context_bp"),
        overlap=run["overlap"],
        frames=run["frames"],
        window_bp=run.get("window_bp"),
        reverse_complement=run["reverse_complement"] and not own_strand,
        precision=precision_option(run),
        stitch=run["stitch"],
        max_filled_n=run["max_filled_n"],
        resolution=run["resolution"],
    )


def segment_checkpoint(wildcards):
    return f"results/models/{SETTINGS['segmentation'][wildcards.run]['model']}/params.safetensors"


def evaluate_options(wildcards):
    run = SETTINGS["segmentation"][wildcards.run]
    named = [] if run.get("bed") else region_list(run["regions"], wildcards.species)
    return options(regions=named, model=run["model"])


def tracks_folder(wildcards, input):
    """Returns the folder of a segmentation run's bigWigs."""
    return str(Path(input.tracks).parent)


def segment_memory(wildcards, attempt):
    run = SETTINGS["segmentation"][wildcards.run]
    return model_memory(run["model"], run["precision"]) * attempt


def segment_runtime(wildcards, attempt):
    """Returns the time limit in minutes, from the bases to predict and the model's size."""
    run = SETTINGS["segmentation"][wildcards.run]
    facts, entry = model_facts(run["model"]), SPECIES[wildcards.species]
    bases = genome_bp(wildcards.species)
    work = cost.segmentation_work(run, entry["held_out"], facts, bases, resource)
    return work.limit_minutes(facts, run["precision"], DEVICE) * attempt
