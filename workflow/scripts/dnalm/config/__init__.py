"""The configuration: checked against its schema, completed with defaults, cross-checked, before any job."""

from dnalm.config.models import model_facts, model_folder, row_text
from dnalm.config.papers import models_of_papers
from dnalm.config.places import key_lines, locator
from dnalm.config.resolve import RUN_SECTIONS, ModelFacts, models_of, resolve
from dnalm.config.runs import RANDOM, RANDOM_SEED, embedding_runs
from dnalm.config.schema import check_schema

__all__ = [
    "RANDOM",
    "RANDOM_SEED",
    "RUN_SECTIONS",
    "ModelFacts",
    "check_schema",
    "embedding_runs",
    "key_lines",
    "locator",
    "model_facts",
    "model_folder",
    "models_of",
    "models_of_papers",
    "resolve",
    "row_text",
]
