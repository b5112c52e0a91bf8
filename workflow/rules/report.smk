# everything -> one HTML page


localrules:
    record_settings,
    estimate_cost,


# Hundreds of species' settings are longer than a command line may be.
rule record_settings:
    output:
        "results/settings.json",
    log:
        "results/logs/record_settings/settings.log",
    benchmark:
        "results/runtimes/record_settings/settings.tsv"
    threads: 1
    resources:
        mem_mb=100,
        runtime=5,
    params:
        version=VERSIONS["report"],
        settings=json.dumps(SETTINGS, indent=2),
    run:
        Path(output[0]).write_text(f"{params.settings}\n")


# Asked for by name: snakemake estimate_cost
rule estimate_cost:
    input:
        settings="results/settings.json",
    output:
        table="results/cost.tsv",
    log:
        "results/logs/estimate_cost/cost.log",
    benchmark:
        "results/runtimes/estimate_cost/cost.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        version=VERSIONS["cost"],
        device="cuda" if DEVICE == "cuda" else "cpu",
        done=finished_runs(),
    shell:
        'python "$SCRIPTS"/estimate_cost.py --settings {input.settings:q} --results results'
        " --device {params.device} --output {output.table:q} 2> {log:q}"


rule make_report:
    input:
        settings="results/settings.json",
        figures=figure_files(),
        genomes=genome_files(),
        embeddings=embedding_files(),
        segmentation=segmentation_files(),
        browsers=browser_pages(),
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
        browsers=options(browsers=browser_pages()),
    shell:
        'python "$SCRIPTS"/make_report.py --config {input.settings:q} --results results'
        " --figures {params.stems:q} {params.cards:q} {params.browsers:q} --output {output.html:q} 2> {log:q}"
