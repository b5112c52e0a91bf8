"""Fine-tuning of a frozen encoder on a task: an adapter and a head per fold, on the training loop."""

from dnalm.finetuning.output import write_result
from dnalm.finetuning.recipe import FineTuneRecipe
from dnalm.finetuning.run import FineTuned, fine_tune

__all__ = ["FineTuneRecipe", "FineTuned", "fine_tune", "write_result"]
