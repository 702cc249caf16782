"""Learning from use: searches that are kept, what users do with the results, and judgements derived from that."""
