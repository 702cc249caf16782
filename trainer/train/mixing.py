"""The share of tuned weights that a model gets: chosen on dev, and held back by the general set."""

from trainer.data.dataset import Dataset
from trainer.train import merging, tuning
from trainer.train.merging import Share
from trainer.train.start import Start
from trainer.train.tuning import Tuned


def mix(tuned: Tuned, models: Start, general: Dataset | None, max_general_loss: float) -> Share:
    """Set the tuned model's weights to the mix of base and tuned weights that dev chooses.

    A new head has forgotten nothing and has no weights worth keeping, so it is taken as it was trained.
    """
    recipe = models.recipe
    if models.new_head:
        tuned.model.load_state_dict(dict(tuned.ends.tuned))
        return merging.WHOLE
    forgotten = None
    if general:
        # Of what a model has forgotten, a part of the set that the base ranks well would show too little.
        forgotten = tuning.evaluator(models, general, general.held_out, "fp32", whole=True)
    return merging.choose(
        tuned.model,
        tuned.ends,
        tuned.dev,
        recipe.alphas,
        general=forgotten,
        max_general_loss=max_general_loss,
    )
