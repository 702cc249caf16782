"""Checkpoints: the contract between trainer and service, the copies that run, and their signatures."""
