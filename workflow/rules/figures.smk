# tables -> figures, each as SVG, PNG and the table it draws


rule plot_tracks:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        annotation="results/species/{species}/annotation.parquet",
    output:
        svg=report(
            "results/figures/tracks.{species}.{run}.svg",
            caption="../report/tracks.rst",
            category="Elements",
            labels={"species": "{species}", "run": "{run}"},
        ),
        png="results/figures/tracks.{species}.{run}.png",
        column_svg="results/figures/tracks.{species}.{run}.85mm.svg",
        column_png="results/figures/tracks.{species}.{run}.85mm.png",
        table="results/figures/tracks.{species}.{run}.tsv",
    log:
        "results/logs/plot_tracks/{species}.{run}.log",
    benchmark:
        "results/runtimes/plot_tracks/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["figures"],
        options=track_options,
        folder=tracks_folder,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_tracks.py --tracks {params.folder:q} --annotation {input.annotation:q}'
        " {params.options:q} --output-stem {params.stem:q} 2> {log:q}"


rule plot_expression:
    input:
        metrics="results/species/{species}/expression/{run}.tsv",
        predictions="results/species/{species}/expression/{run}.predictions.parquet",
    output:
        svg=report(
            "results/figures/expression.{species}.{run}.svg",
            caption="../report/expression.rst",
            category="Gene expression",
            labels={"species": "{species}", "run": "{run}"},
        ),
        png="results/figures/expression.{species}.{run}.png",
        column_svg="results/figures/expression.{species}.{run}.85mm.svg",
        column_png="results/figures/expression.{species}.{run}.85mm.png",
        table="results/figures/expression.{species}.{run}.tsv",
    log:
        "results/logs/plot_expression/{species}.{run}.log",
    benchmark:
        "results/runtimes/plot_expression/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["expression"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["figures"],
        unit=expression_unit,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_expression.py --metrics {input.metrics:q}'
        " --predictions {input.predictions:q} --unit {params.unit:q} --species {wildcards.species:q}"
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_tasks:
    input:
        leaderboard="results/tasks/leaderboard.tsv",
    output:
        svg=report(
            "results/figures/tasks.svg",
            caption="../report/tasks.rst",
            category="Probe tasks",
        ),
        png="results/figures/tasks.png",
        column_svg="results/figures/tasks.85mm.svg",
        column_png="results/figures/tasks.85mm.png",
        table="results/figures/tasks.tsv",
    log:
        "results/logs/plot_tasks/tasks.log",
    benchmark:
        "results/runtimes/plot_tasks/tasks.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["figures"],
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_tasks.py --leaderboard {input.leaderboard:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_embedding_map:
    input:
        embeddings="results/species/{species}/embeddings/{run}.h5ad",
        genome="results/species/{species}/genome.fa",
        annotation=map_annotation,
    output:
        svg=report(
            "results/figures/map.{species}.{run}.svg",
            caption="../report/map.rst",
            category="Embedding map",
            labels={"species": "{species}", "run": "{run}"},
        ),
        png="results/figures/map.{species}.{run}.png",
        column_svg="results/figures/map.{species}.{run}.85mm.svg",
        column_png="results/figures/map.{species}.{run}.85mm.png",
        table="results/figures/map.{species}.{run}.tsv",
    log:
        "results/logs/plot_embedding_map/{species}.{run}.log",
    benchmark:
        "results/runtimes/plot_embedding_map/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["embeddings"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        version=VERSIONS["figures"],
        options=map_options,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_embedding_map.py --embeddings {input.embeddings:q} {params.options:q}'
        " --output-stem {params.stem:q} 2> {log:q}"
