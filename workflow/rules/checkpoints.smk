# checkpoint of any published format, or a bundled one -> one format


localrules:
    convert_checkpoint,


rule convert_checkpoint:
    output:
        params="results/models/{model}/params.safetensors",
        config="results/models/{model}/config.json",
        manifest="results/models/{model}/manifest.json",
    log:
        "results/logs/convert_checkpoint/{model}.log",
    benchmark:
        "results/runtimes/convert_checkpoint/{model}.tsv"
    wildcard_constraints:
        model=one_of(used_models()),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=60,
    params:
        version=VERSIONS["checkpoint"],
        source=checkpoint_source,
        row=checkpoint_row,
        folder=output_folder,
    shell:
        'python "$SCRIPTS"/convert_checkpoint.py --checkpoint {params.source:q}'
        " --output-dir {params.folder:q} 2> {log:q}"
