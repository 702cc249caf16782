"""From rows to tuned weights: which weights learn, by which loss, and how much of them is taken."""
