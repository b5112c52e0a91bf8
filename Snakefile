# The workflow lives in workflow/; this file makes `snakemake` work as typed from the root.
include: "workflow/Snakefile"


# An included file cannot set the default target.
rule default:
    default_target: True
    input:
        rules.all.input,
