"""From tuned weights to a checkpoint in a service: the package, its model card, its delivery."""
