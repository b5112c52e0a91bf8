"""Version of each step's output.

A step's number is raised when its output changes for the same input; it is a rule's parameter, so
that Snakemake runs the step again (it does not see edits of scripts or of this library).
"""

VERSIONS = {
    "genome": 1,
    "annotation": 2,
    "mask": 1,
    "windows": 1,
    "checkpoint": 1,
    "embed": 1,
    "segment": 3,  # isolated Ns are filled for the input; own bigWig writer
    "elements": 1,
    "evaluate": 2,
    "dataset": 1,
    "task": 2,  # column split; report of leaks
    "probe": 2,  # penalty and layer chosen inside the training rows; exact optimum
    "leaderboard": 1,
    "expression": 2,  # shuffled genes as a control
    "figures": 6,  # long gene names keep both ends; ticks have room
    "papers": 2,  # the model of the windows' map; long gene names keep both ends
    "tokens": 1,
    "attention": 1,
    "browser": 1,
    "report": 4,  # what was run and what to watch, the papers' figures, browsers
    "cost": 1,
    "pretrain": 3,  # schedules, precision, looks at a validation region
    "tokenizer": 1,
    "train_segmentation": 2,  # the same, focal loss, backbones that are not trained
    "finetune": 1,
    "export": 1,
}
