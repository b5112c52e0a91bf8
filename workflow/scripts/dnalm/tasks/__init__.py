"""Benchmark tasks made from a genome's annotation: labelled windows with folds."""

from dnalm.tasks.annotation import TASK_COLUMNS, make_annotation_task, read_task
from dnalm.tasks.registry import read_tasks, task_row

__all__ = ["TASK_COLUMNS", "make_annotation_task", "read_task", "read_tasks", "task_row"]
