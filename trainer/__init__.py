"""From judgements to a checkpoint that is proven better, offline: `python -m trainer`."""
