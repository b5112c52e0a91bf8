# masked genome + segmentation checkpoint -> one bigWig per feature -> scores against the annotation


rule segment:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        checkpoint=segment_checkpoint,
        bed=segment_bed,
    output:
        manifest="results/species/{species}/segmentation/{run}/manifest.json",
    log:
        "results/logs/segment/{species}.{run}.log",
    benchmark:
        "results/runtimes/segment/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(segmentation_runs(parts=False)),
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=segment_memory,
        runtime=segment_runtime,
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


rule segment_part:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        checkpoint=segment_checkpoint,
        bed=segment_bed,
    output:
        part=temp(
            "results/species/{species}/segmentation/{run}.parts/{part}-of-{parts}.json"
        ),
    log:
        "results/logs/segment_part/{species}.{run}.{part}-of-{parts}.log",
    benchmark:
        "results/runtimes/segment_part/{species}.{run}.{part}-of-{parts}.tsv"
    wildcard_constraints:
        run=one_of(segmentation_runs(parts=True)),
        part=r"\d+",
        parts=r"\d+",
    retries: 1
    conda:
        MODEL_ENV
    threads: embed_threads
    resources:
        mem_mb=segment_memory,
        runtime=segment_runtime,
        gpu=GPUS,
    params:
        version=VERSIONS["segment"],
        options=segment_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/segment.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' {params.options:q} --device "$DEVICE" --work-dir results/.work'
        " --part {wildcards.part}/{wildcards.parts} --output-dir {output.part:q} 2> {log:q}"


rule gather_segments:
    input:
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        checkpoint=segment_checkpoint,
        bed=segment_bed,
        parts=segment_parts,
    output:
        manifest="results/species/{species}/segmentation/{run}/manifest.json",
    log:
        "results/logs/gather_segments/{species}.{run}.log",
    benchmark:
        "results/runtimes/gather_segments/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(segmentation_runs(parts=True)),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["segment"],
        options=segment_options,
        checkpoint=checkpoint_folder,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/segment.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        " {params.options:q} --gather {input.parts:q} --output-dir {params.folder:q} 2> {log:q}"


rule evaluate_segmentation:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        genome="results/species/{species}/masked.fa",
        annotation="results/species/{species}/annotation.parquet",
    output:
        table="results/species/{species}/segmentation/{run}.metrics.tsv",
        contigs="results/species/{species}/segmentation/{run}.metrics_by_contig.tsv",
        genes="results/species/{species}/segmentation/{run}.metrics_by_gene_type.tsv",
        samplings="results/species/{species}/segmentation/{run}.metrics_by_sampling.tsv",
        published="results/species/{species}/segmentation/{run}.beside_published.tsv",
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
        runtime=genome_runtime,
    params:
        version=VERSIONS["evaluate"],
        options=evaluate_options,
        folder=tracks_folder,
    shell:
        'python "$SCRIPTS"/evaluate_segmentation.py --tracks {params.folder:q} --genome {input.genome:q}'
        " --annotation {input.annotation:q} {params.options:q} --output {output.table:q} 2> {log:q}"
