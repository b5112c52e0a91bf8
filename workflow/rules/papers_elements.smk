# the papers' figures of predicted elements


rule plot_segmentnt_tracks:
    input:
        tracks=segmented_folder("segmentnt_tracks"),
        annotation=drawn_annotation("segmentnt_tracks"),
    output:
        svg=report(
            "results/figures/segmentnt_tracks.svg",
            caption="../report/segmentnt_tracks.rst",
            category="Elements",
        ),
        png="results/figures/segmentnt_tracks.png",
        column_svg="results/figures/segmentnt_tracks.85mm.svg",
        column_png="results/figures/segmentnt_tracks.85mm.png",
        table="results/figures/segmentnt_tracks.tsv",
    log:
        "results/logs/plot_segmentnt_tracks/segmentnt_tracks.log",
    benchmark:
        "results/runtimes/plot_segmentnt_tracks/segmentnt_tracks.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        folder=lambda wildcards, input: str(Path(input.tracks).parent),
        regions=PAPERS.get("segmentnt_tracks", {}).get("regions"),
        model=segmented_model("segmentnt_tracks"),
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_segmentnt_tracks.py --tracks {params.folder:q} --annotation {input.annotation:q}'
        " --regions {params.regions:q} --model {params.model:q}"
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_segmentnt_metrics:
    input:
        metrics=segmented("segmentnt_metrics", "metrics.tsv"),
        published=segmented("segmentnt_metrics", "beside_published.tsv"),
    output:
        svg=report(
            "results/figures/segmentnt_metrics.svg",
            caption="../report/segmentnt_metrics.rst",
            category="Elements",
        ),
        png="results/figures/segmentnt_metrics.png",
        column_svg="results/figures/segmentnt_metrics.85mm.svg",
        column_png="results/figures/segmentnt_metrics.85mm.png",
        table="results/figures/segmentnt_metrics.tsv",
    log:
        "results/logs/plot_segmentnt_metrics/segmentnt_metrics.log",
    benchmark:
        "results/runtimes/plot_segmentnt_metrics/segmentnt_metrics.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        model=segmented_model("segmentnt_metrics"),
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_segmentnt_metrics.py --metrics {input.metrics:q} --published {input.published:q}'
        " --model {params.model:q}"
        " --output-stem {params.stem:q} 2> {log:q}"
