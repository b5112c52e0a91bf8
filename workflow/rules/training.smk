# checkpoints trained at the user's own site; no other target needs them: `snakemake train`


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
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/pretrain.py --name {wildcards.model:q}'
        ' --config {input.settings:q} {params.options:q} --device "$DEVICE"'
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
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/train_segmentation.py --name {wildcards.model:q}'
        ' --annotation {input.annotation:q} --config {input.settings:q} {params.options:q} --device "$DEVICE"'
        " --work-dir results/.work/training/{wildcards.model:q} --output-dir {params.folder:q} 2> {log:q}"
