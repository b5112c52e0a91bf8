# byte-pair encodings learned from a genome; no other target needs them: `snakemake tokenizers`


localrules:
    tokenizers,


rule tokenizers:
    input:
        tokenizer_files(),


rule train_tokenizer:
    input:
        unpack(tokenizer_genome),
    output:
        tokenizer="results/tokenizers/{tokenizer}/tokenizer.json",
        table="results/tokenizers/{tokenizer}/cycles.tsv",
        manifest="results/tokenizers/{tokenizer}/manifest.json",
    log:
        "results/logs/train_tokenizer/{tokenizer}.log",
    benchmark:
        "results/runtimes/train_tokenizer/{tokenizer}.tsv"
    wildcard_constraints:
        tokenizer=one_of(SETTINGS["tokenizers"]),
    conda:
        MODEL_ENV
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 480 * attempt,
    params:
        version=VERSIONS["tokenizer"],
        options=tokenizer_options,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/train_tokenizer.py --genome {input.genome:q} {params.options:q} --device cpu'
        " --output-dir {params.folder:q} 2> {log:q}"


rule plot_vocabulary:
    input:
        table="results/tokenizers/{tokenizer}/cycles.tsv",
    output:
        svg=report(
            "results/figures/vocabulary.{tokenizer}.svg",
            caption="../report/vocabulary.rst",
            category="Vocabularies",
            labels={"tokenizer": "{tokenizer}"},
        ),
        png="results/figures/vocabulary.{tokenizer}.png",
        column_svg="results/figures/vocabulary.{tokenizer}.85mm.svg",
        column_png="results/figures/vocabulary.{tokenizer}.85mm.png",
        table="results/figures/vocabulary.{tokenizer}.tsv",
    log:
        "results/logs/plot_vocabulary/{tokenizer}.log",
    benchmark:
        "results/runtimes/plot_vocabulary/{tokenizer}.tsv"
    wildcard_constraints:
        tokenizer=one_of(SETTINGS["tokenizers"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=15,
    params:
        version=VERSIONS["figures"],
        species=tokenizer_species,
        stem=output_stem,
    shell:
        'python "$SCRIPTS"/plot_vocabulary.py --table {input.table:q} --species {params.species:q}'
        " --output-stem {params.stem:q} 2> {log:q}"
