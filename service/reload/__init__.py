"""The reload: from a checkpoint to the generation that answers."""
