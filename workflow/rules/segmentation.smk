# masked genome + segmentation checkpoint -> one bigWig per feature -> scores against the annotation


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
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/segment.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' {params.options:q} --device "$DEVICE" --work-dir results/.work'
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
        folder=tracks_folder,
    shell:
        'python "$SCRIPTS"/evaluate_segmentation.py --tracks {params.folder:q} --genome {input.genome:q}'
        " --annotation {input.annotation:q} {params.options:q} --output {output.table:q} 2> {log:q}"
