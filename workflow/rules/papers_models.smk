# the papers' figures of vocabularies and attention, with the steps that only they need


rule count_tokens:
    input:
        unpack(counted_vocabulary),
    output:
        table="results/tokens/tokens.tsv",
        manifest="results/tokens/tokens.tsv.manifest.json",
    log:
        "results/logs/count_tokens/tokens.log",
    benchmark:
        "results/runtimes/count_tokens/tokens.tsv"
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
    params:
        version=VERSIONS["tokens"],
        options=counted_options,
    shell:
        'python "$SCRIPTS"/count_tokens.py --genome {input.genome:q} {params.options:q}'
        " --output {output.table:q} 2> {log:q}"


rule plot_grover_tokens:
    input:
        unpack(vocabulary_tables),
        tokens="results/tokens/tokens.tsv",
    output:
        svg=report(
            "results/figures/grover_tokens.svg",
            caption="../report/grover_tokens.rst",
            category="Vocabularies",
        ),
        png="results/figures/grover_tokens.png",
        column_svg="results/figures/grover_tokens.85mm.svg",
        column_png="results/figures/grover_tokens.85mm.png",
        table="results/figures/grover_tokens.tsv",
    log:
        "results/logs/plot_grover_tokens/grover_tokens.log",
    benchmark:
        "results/runtimes/plot_grover_tokens/grover_tokens.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        options=vocabulary_options,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_grover_tokens.py --tokens {input.tokens:q} {params.options:q}'
        " --output-stem {params.stem:q} 2> {log:q}"


rule read_attention:
    input:
        unpack(attended_input),
    output:
        maps="results/attention/{figure}/attention.npz",
        landscape="results/attention/{figure}/landscape.tsv",
        motifs="results/attention/{figure}/motifs.tsv",
        manifest="results/attention/{figure}/attention.npz.manifest.json",
    log:
        "results/logs/read_attention/{figure}.log",
    benchmark:
        "results/runtimes/read_attention/{figure}.tsv"
    wildcard_constraints:
        figure="dnabert_attention|attention",
    retries: 1
    conda:
        MODEL_ENV
    threads: 2
    resources:
        mem_mb=attended_memory,
        runtime=lambda wildcards, attempt: 120 * attempt,
        gpu=GPUS,
    params:
        version=VERSIONS["attention"],
        options=attended_options,
        checkpoint=checkpoint_folder,
    shell:
        'python "$SCRIPTS"/read_attention.py --checkpoint {params.checkpoint:q} --genome {input.genome:q}'
        ' {params.options:q} --device "$DEVICE" --output {output.maps:q} --landscape {output.landscape:q}'
        " --motifs {output.motifs:q} 2> {log:q}"


rule plot_dnabert_attention:
    input:
        landscape="results/attention/dnabert_attention/landscape.tsv",
        motifs="results/attention/dnabert_attention/motifs.tsv",
        annotation=drawn_annotation("dnabert_attention"),
    output:
        svg=report(
            "results/figures/dnabert_attention.svg",
            caption="../report/dnabert_attention.rst",
            category="Attention",
        ),
        png="results/figures/dnabert_attention.png",
        column_svg="results/figures/dnabert_attention.85mm.svg",
        column_png="results/figures/dnabert_attention.85mm.png",
        table="results/figures/dnabert_attention.tsv",
    log:
        "results/logs/plot_dnabert_attention/dnabert_attention.log",
    benchmark:
        "results/runtimes/plot_dnabert_attention/dnabert_attention.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        model=attended_model("dnabert_attention"),
        annotation=lambda wildcards, input: options(annotation=input.annotation or None),
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_dnabert_attention.py --landscape {input.landscape:q} --motifs {input.motifs:q}'
        " {params.annotation:q} --model {params.model:q}"
        " --output-stem {params.stem:q} 2> {log:q}"


rule plot_attention:
    input:
        attention="results/attention/attention/attention.npz",
    output:
        svg=report(
            "results/figures/attention.svg",
            caption="../report/attention.rst",
            category="Attention",
        ),
        png="results/figures/attention.png",
        column_svg="results/figures/attention.85mm.svg",
        column_png="results/figures/attention.85mm.png",
        table="results/figures/attention.tsv",
    log:
        "results/logs/plot_attention/attention.log",
    benchmark:
        "results/runtimes/plot_attention/attention.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["papers"],
        model=attended_model("attention"),
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_attention.py --attention {input.attention:q} --model {params.model:q}'
        " --output-stem {params.stem:q} 2> {log:q}"
