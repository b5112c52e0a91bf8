# the papers' figures, each a target of its own: `snakemake figure_NAME`


localrules:
    figure_nt_benchmark,
    figure_agront_expression,
    figure_agront_strength,
    figure_segmentnt_tracks,
    figure_segmentnt_metrics,
    figure_grover_tokens,
    figure_dnabert_attention,
    figure_layers,
    figure_context,
    figure_attention,


rule figure_nt_benchmark:
    input:
        lambda wildcards: paper_files("nt_benchmark"),


rule figure_agront_expression:
    input:
        lambda wildcards: paper_files("agront_expression"),


rule figure_agront_strength:
    input:
        lambda wildcards: paper_files("agront_strength"),


rule figure_segmentnt_tracks:
    input:
        lambda wildcards: paper_files("segmentnt_tracks"),


rule figure_segmentnt_metrics:
    input:
        lambda wildcards: paper_files("segmentnt_metrics"),


rule figure_grover_tokens:
    input:
        lambda wildcards: paper_files("grover_tokens"),


rule figure_dnabert_attention:
    input:
        lambda wildcards: paper_files("dnabert_attention"),


rule figure_layers:
    input:
        lambda wildcards: paper_files("layers"),


rule figure_context:
    input:
        lambda wildcards: paper_files("context"),


rule figure_attention:
    input:
        lambda wildcards: paper_files("attention"),
