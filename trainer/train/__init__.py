"""From rows to tuned weights: what learns, by which loss, and how much of it is taken."""
