"""Benchmark tasks: labelled sequences with folds, from an annotation, a published suite or a user's file."""

from dnalm.tasks.annotation import TASK_COLUMNS, make_annotation_task
from dnalm.tasks.assemble import DUPLICATES, Task, assemble
from dnalm.tasks.form import in_folds, label_columns, label_values, read_task, task_type
from dnalm.tasks.registry import read_tasks, task_row

__all__ = [
    "DUPLICATES",
    "TASK_COLUMNS",
    "Task",
    "assemble",
    "in_folds",
    "label_columns",
    "label_values",
    "make_annotation_task",
    "read_task",
    "read_tasks",
    "task_row",
    "task_type",
]
