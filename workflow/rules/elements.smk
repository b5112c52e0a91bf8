# a segmentation run's tracks -> called elements, files for genome browsers, arrays for programs


rule call_elements:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
    output:
        bed="results/species/{species}/segmentation/{run}/elements.bed",
        gff3="results/species/{species}/segmentation/{run}/elements.gff3",
        manifest="results/species/{species}/segmentation/{run}/elements.bed.manifest.json",
    log:
        "results/logs/call_elements/{species}.{run}.log",
    benchmark:
        "results/runtimes/call_elements/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["elements"],
        options=element_options,
        folder=tracks_folder,
    shell:
        'python "$SCRIPTS"/call_elements.py --tracks {params.folder:q} --genome {input.genome:q}'
        " {params.options:q} --output {output.bed:q} 2> {log:q}"


rule make_hub:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        elements="results/species/{species}/segmentation/{run}/elements.bed",
        elements_manifest="results/species/{species}/segmentation/{run}/elements.bed.manifest.json",
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
        annotation=hub_annotation,
    output:
        manifest="results/species/{species}/segmentation/{run}/hub/manifest.json",
        hub="results/species/{species}/segmentation/{run}/hub/hub.txt",
        session="results/species/{species}/segmentation/{run}/igv_session.xml",
        options="results/species/{species}/segmentation/{run}/igvjs_tracks.json",
    log:
        "results/logs/make_hub/{species}.{run}.log",
    benchmark:
        "results/runtimes/make_hub/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["elements"],
        options=hub_options,
        folder=tracks_folder,
    shell:
        'python "$SCRIPTS"/make_hub.py --tracks {params.folder:q} --genome {input.genome:q}'
        " {params.options:q} 2> {log:q}"


rule export_zarr:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        genome="results/species/{species}/masked.fa",
        index="results/species/{species}/masked.fa.fai",
    output:
        manifest="results/species/{species}/segmentation/{run}/probabilities.zarr/manifest.json",
    log:
        "results/logs/export_zarr/{species}.{run}.log",
    benchmark:
        "results/runtimes/export_zarr/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=genome_runtime,
    params:
        version=VERSIONS["elements"],
        folder=tracks_folder,
        store=output_folder,
    shell:
        'python "$SCRIPTS"/export_zarr.py --tracks {params.folder:q} --genome {input.genome:q}'
        " --output {params.store:q} 2> {log:q}"


rule make_browser:
    input:
        tracks="results/species/{species}/segmentation/{run}/manifest.json",
        bed="results/species/{species}/segmentation/{run}/elements.bed",
        genome="results/species/{species}/genome.fa",
        index="results/species/{species}/genome.fa.fai",
        annotation=hub_annotation,
    output:
        page="results/browser/{species}.{run}.html",
    log:
        "results/logs/make_browser/{species}.{run}.log",
    benchmark:
        "results/runtimes/make_browser/{species}.{run}.tsv"
    wildcard_constraints:
        run=one_of(SETTINGS["segmentation"]),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=30,
    params:
        version=VERSIONS["browser"],
        options=browser_options,
        folder=lambda wildcards, input: str(Path(input.bed).parent),
    shell:
        'python "$SCRIPTS"/make_browser.py --tracks {params.folder:q} --genome {input.genome:q}'
        " {params.options:q} --output {output.page:q} 2> {log:q}"
