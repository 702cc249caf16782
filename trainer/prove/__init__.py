"""Whether the tuned model is better: both models on the same queries, a report, and a verdict."""
