"""Metrics and traces of a running service, and the steps at which a test makes it fail."""
