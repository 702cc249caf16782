"""From judgements to what is trained on: splits, weak labels, hard negatives, rows and their batches."""
