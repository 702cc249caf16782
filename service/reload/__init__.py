"""From a checkpoint to the generation that answers."""
