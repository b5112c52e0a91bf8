# checkpoint of any published format, a bundled one, or one of the hub -> one format


localrules:
    fetch_checkpoint,


rule fetch_checkpoint:
    output:
        record="results/models/{model}.source.json",
    log:
        "results/logs/fetch_checkpoint/{model}.log",
    benchmark:
        "results/runtimes/fetch_checkpoint/{model}.tsv"
    wildcard_constraints:
        model=one_of(published_models()),
    conda:
        MODEL_ENV
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=720,
    params:
        version=VERSIONS["checkpoint"],
        row=checkpoint_row,
    shell:
        'python "$SCRIPTS"/fetch_checkpoint.py --model {wildcards.model:q}'
        " --lock-file config/checkpoints.lock.json --output {output.record:q} 2> {log:q} >&2"


rule convert_checkpoint:
    input:
        record=checkpoint_record,
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
