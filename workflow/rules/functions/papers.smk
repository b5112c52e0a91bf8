# what the rules of papers.smk ask of the configuration


PAPERS = SETTINGS["figures"]["papers"]


def paper_stems(name):
    """Returns the figures of a target, below results/figures."""
    if name == "nt_benchmark":
        suites = dict.fromkeys(
            SETTINGS["tasks"][task]["suite"] for task in PAPERS[name]["tasks"]
        )
        return [f"nt_benchmark.{suite}" for suite in suites]
    return [name]


def paper_files(name):
    """Returns a target's files; a figure that the configuration does not ask for ends Snakemake with one line."""
    if name not in PAPERS:
        stop(
            UserError(
                f"figure_{name}",
                f"the configuration has no figures.papers.{name}",
                f"Add it, or start from --configfile config/examples/figure_{name}.yaml.",
            )
        )
    return [
        f"results/figures/{stem}.{ending}"
        for stem in paper_stems(name)
        for ending in ENDINGS
    ]


def drawn_tasks(name):
    """Returns the tasks of a figure, one per species where a task has several."""
    names = PAPERS.get(name, {}).get("tasks", [])
    return [task for task, (own, _) in TASKS.items() if own in names]


def drawn_probes(name):
    """Returns the probes of a figure's tasks: models, fine-tuned ones and baselines."""
    return [
        f"results/tasks/{task}/{features}/folds.tsv"
        for task in drawn_tasks(name)
        for features in task_features(task) + fine_tuned(task)
    ]


def drawn_summaries(name):
    return [f"results/tasks/{task}/summary.tsv" for task in drawn_tasks(name)]


def probe_folders(wildcards, input):
    return [str(Path(path).parent) for path in input.probes]


def drawn_expression():
    """Returns run, species of the expression runs that are drawn as the paper's."""
    names = PAPERS.get("agront_expression", {}).get("expression", [])
    return [
        (run, species)
        for run in names
        for species in SETTINGS["expression"][run]["species"]
    ]


def expression_tables():
    return [
        f"results/species/{species}/expression/{run}{ending}"
        for run, species in drawn_expression()
        for ending in (".tsv", ".predictions.parquet")
    ]


def expression_sources():
    """Returns --expression METRICS PREDICTIONS SPECIES for each run and species."""
    words = []
    for run, species in drawn_expression():
        folder = f"results/species/{species}/expression"
        files = [f"{folder}/{run}.tsv", f"{folder}/{run}.predictions.parquet"]
        words += ["--expression", *files, species]
    return words


def segmented(name, table):
    """Returns a table of the segmentation run that a figure draws."""
    entry = PAPERS.get(name)
    if not entry:
        return []
    return f"results/species/{entry['species']}/segmentation/{entry['run']}.{table}"


def segmented_folder(name):
    """Returns the manifest of the run's tracks."""
    entry = PAPERS.get(name)
    if not entry:
        return []
    folder = f"results/species/{entry['species']}/segmentation/{entry['run']}"
    return f"{folder}/manifest.json"


def segmented_model(name):
    entry = PAPERS.get(name)
    return SETTINGS["segmentation"][entry["run"]]["model"] if entry else ""


def drawn_annotation(name):
    """Returns the annotation that a figure draws below its tracks, where the species has one."""
    species = PAPERS.get(name, {}).get("species")
    has_genes = species and SPECIES[species]["annotation"]
    return f"results/species/{species}/annotation.parquet" if has_genes else []


def counted_vocabulary(wildcards):
    """Returns the genome, with its lower-case repeats, and the vocabulary that is counted in it."""
    entry = PAPERS["grover_tokens"]
    genome = f"results/species/{entry['species']}/genome.fa"
    inputs = {"genome": genome, "index": f"{genome}.fai"}
    if "model" in entry:
        inputs["checkpoint"] = f"results/models/{entry['model']}/params.safetensors"
    else:
        inputs["tokenizer"] = f"results/tokenizers/{entry['tokenizer']}/tokenizer.json"
    return inputs


def counted_options(wildcards, input):
    weights = input.get("checkpoint")
    source = {"checkpoint": str(Path(weights).parent)} if weights else {}
    return options(**source, tokenizer=input.get("tokenizer"))


def vocabulary_tables(wildcards):
    """Returns the tables beside the counts: of merge cycles, and of the map of windows."""
    entry, tables = PAPERS["grover_tokens"], {}
    if "tokenizer" in entry:
        tables["cycles"] = f"results/tokenizers/{entry['tokenizer']}/cycles.tsv"
    if "map" in entry:
        tables["map"] = f"results/figures/map.{entry['species']}.{entry['map']}.tsv"
    return tables


def vocabulary_options(wildcards, input):
    entry = PAPERS["grover_tokens"]
    return options(
        cycles=input.get("cycles"),
        map=input.get("map"),
        map_model=(
            SETTINGS["embeddings"][entry["map"]]["model"] if "map" in entry else None
        ),
        name=entry.get("model") or entry["tokenizer"],
        species=entry["species"],
    )


def attended_input(wildcards):
    entry = PAPERS[wildcards.figure]
    genome = f"results/species/{entry['species']}/masked.fa"
    return {
        "genome": genome,
        "index": f"{genome}.fai",
        "checkpoint": f"results/models/{entry['model']}/params.safetensors",
    }


def attended_options(wildcards):
    entry = PAPERS[wildcards.figure]
    return options(region=entry["region"], heads=entry.get("heads"))


def attended_memory(wildcards, attempt):
    return model_memory(PAPERS[wildcards.figure]["model"], "float32") * attempt


def attended_model(name):
    return PAPERS.get(name, {}).get("model", "")
