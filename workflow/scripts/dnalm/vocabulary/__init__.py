"""Byte-pair vocabularies learned from a genome, and which number of merge cycles to take."""

from dnalm.vocabulary.recipe import VocabularyRecipe
from dnalm.vocabulary.run import COLUMNS, train_vocabulary

__all__ = ["COLUMNS", "VocabularyRecipe", "train_vocabulary"]
