"""Engines that compute a model: torch and OpenVINO."""
