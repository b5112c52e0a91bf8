# masked genome + segmentation checkpoint -> one bigWig per feature -> scores against the annotation


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


def segment_options(wildcards):
    run = SETTINGS["segmentation"][wildcards.run]
    own_strand = model_facts(run["model"]).labels == "own_strand"
    return options(
        regions=region_list(run["regions"], wildcards.species),
        overlap=run["overlap"],
        frames=run["frames"],
        window_bp=run.get("window_bp"),
        reverse_complement=run["reverse_complement"] and not own_strand,
    )


def segment_checkpoint(wildcards):
    return f"results/models/{SETTINGS['segmentation'][wildcards.run]['model']}/params.safetensors"


def evaluate_options(wildcards):
    run = SETTINGS["segmentation"][wildcards.run]
    return options(regions=region_list(run["regions"], wildcards.species))


rule segment:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        checkpoint=segment_checkpoint,
    output:
        manifest="results/species/{species}/segmentation/{run}/manifest.json",
    log:
        "results/logs/segment/{species}.{run}.log",
    benchmark:
        "results/runtimes/segment/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["segment"],
        options=segment_options,
        checkpoint=checkpoint_folder,
        folder="results/species/{species}/segmentation/{run}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/segment.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}"
        " {params.options:q} --device {DEVICE:q} --work-dir results/.work"
        " --output-dir {params.folder:q} 2> {log:q}"


rule evaluate_segmentation:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        genome="results/species/{species}/masked.fa",
        annotation="results/species/{species}/annotation.parquet",
    output:
        table="results/species/{species}/segmentation/{run}.metrics.tsv",
        manifest="results/species/{species}/segmentation/{run}.metrics.tsv.manifest.json",
    log:
        "results/logs/evaluate_segmentation/{species}.{run}.log",
    benchmark:
        "results/runtimes/evaluate_segmentation/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        version=VERSIONS["evaluate"],
        options=evaluate_options,
        folder="results/species/{species}/segmentation/{run}",
    shell:
        "{PYTHON:q} {SCRIPTS:q}/evaluate_segmentation.py --tracks {params.folder:q} --genome {input.genome:q}"
        " --annotation {input.annotation:q} {params.options:q} --output {output.table:q} 2> {log:q}"
