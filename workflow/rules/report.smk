# everything -> one HTML page


localrules:
    record_settings,


rule record_settings:
    output:
        "results/settings.json",
    log:
        "results/logs/record_settings/settings.log",
    benchmark:
        "results/runtimes/record_settings/settings.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        version=VERSIONS["report"],
        settings=json.dumps(SETTINGS, indent=2),
    shell:
        "printf '%s\\n' {params.settings:q} > {output:q} 2> {log:q}"


rule make_report:
    input:
        settings="results/settings.json",
        figures=figure_files(),
        genomes=genome_files(),
        embeddings=embedding_files(),
        segmentation=segmentation_files(),
        tasks=task_files(),
        expression=expression_files(),
    output:
        html="results/report.html",
    log:
        "results/logs/make_report/report.log",
    benchmark:
        "results/runtimes/make_report/report.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["report"],
        stems=[f"results/figures/{stem}" for stem in figure_stems()],
        cards=options(cards=model_cards()),
    shell:
        'python "$SCRIPTS"/make_report.py --config {input.settings:q} --results results'
        " --figures {params.stems:q} {params.cards:q} --output {output.html:q} 2> {log:q}"
