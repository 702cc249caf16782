"""Sights of a running service: metrics, traces, the steps between faults."""
