# the papers' figures of benchmark tasks: scores, predictions, layers and context


rule plot_nt_benchmark:
    input:
        leaderboard="results/tasks/leaderboard.tsv",
    output:
        svg=report(
            "results/figures/nt_benchmark.{suite}.svg",
            caption="../report/nt_benchmark.rst",
            category="Benchmarks",
            labels={"suite": "{suite}"},
        ),
        png="results/figures/nt_benchmark.{suite}.png",
        column_svg="results/figures/nt_benchmark.{suite}.85mm.svg",
        column_png="results/figures/nt_benchmark.{suite}.85mm.png",
        table="results/figures/nt_benchmark.{suite}.tsv",
    log:
        "results/logs/plot_nt_benchmark/nt_benchmark.{suite}.log",
    benchmark:
        "results/runtimes/plot_nt_benchmark/nt_benchmark.{suite}.tsv"
    wildcard_constraints:
        suite="nt_revised|nt_original",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_nt_benchmark.py --leaderboard {input.leaderboard:q} --suite {wildcards.suite:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_agront_expression:
    input:
        probes=drawn_probes("agront_expression"),
        tables=expression_tables(),
    output:
        svg=report(
            "results/figures/agront_expression.svg",
            caption="../report/agront_expression.rst",
            category="Gene expression",
        ),
        png="results/figures/agront_expression.png",
        column_svg="results/figures/agront_expression.85mm.svg",
        column_png="results/figures/agront_expression.85mm.png",
        table="results/figures/agront_expression.tsv",
    log:
        "results/logs/plot_agront_expression/agront_expression.log",
    benchmark:
        "results/runtimes/plot_agront_expression/agront_expression.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        probes=lambda wildcards, input: options(probes=probe_folders(wildcards, input)),
        expression=expression_sources(),
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_agront_expression.py {params.probes:q} {params.expression:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_agront_strength:
    input:
        probes=drawn_probes("agront_strength"),
    output:
        svg=report(
            "results/figures/agront_strength.svg",
            caption="../report/agront_strength.rst",
            category="Gene expression",
        ),
        png="results/figures/agront_strength.png",
        column_svg="results/figures/agront_strength.85mm.svg",
        column_png="results/figures/agront_strength.85mm.png",
        table="results/figures/agront_strength.tsv",
    log:
        "results/logs/plot_agront_strength/agront_strength.log",
    benchmark:
        "results/runtimes/plot_agront_strength/agront_strength.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        probes=probe_folders,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_agront_strength.py --probes {params.probes:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_layers:
    input:
        summaries=drawn_summaries("layers"),
        probes=drawn_probes("layers"),
    output:
        svg=report(
            "results/figures/layers.svg",
            caption="../report/layers.rst",
            category="Probe tasks",
        ),
        png="results/figures/layers.png",
        column_svg="results/figures/layers.85mm.svg",
        column_png="results/figures/layers.85mm.png",
        table="results/figures/layers.tsv",
    log:
        "results/logs/plot_layers/layers.log",
    benchmark:
        "results/runtimes/plot_layers/layers.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_layers.py --summaries {input.summaries:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_context:
    input:
        summaries=drawn_summaries("context"),
    output:
        svg=report(
            "results/figures/context.svg",
            caption="../report/context.rst",
            category="Probe tasks",
        ),
        png="results/figures/context.png",
        column_svg="results/figures/context.85mm.svg",
        column_png="results/figures/context.85mm.png",
        table="results/figures/context.tsv",
    log:
        "results/logs/plot_context/context.log",
    benchmark:
        "results/runtimes/plot_context/context.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_context.py --summaries {input.summaries:q}'
        " --output-stem {params.stem:q} 2> {log:q}"
