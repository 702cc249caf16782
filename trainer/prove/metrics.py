"""The metrics of a ranking, by the names that reports and flags call them. `metric_values.py` computes them."""

NDCG, MRR, PAIRS = "nDCG@10", "MRR@10", "good above bad"
RECALLS = (1, 3, 5, 10, 20)
