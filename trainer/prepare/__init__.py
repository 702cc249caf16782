"""From judgements to training rows: splits, weak labels, hard negatives, rows and their batches."""
