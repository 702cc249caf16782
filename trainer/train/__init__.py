"""From rows to tuned weights: what learns, by which loss, how much of it is taken."""
