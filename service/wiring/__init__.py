"""The composition root: from the settings to the parts of a service. It alone knows every implementation."""

from service.wiring.build import Parts, build, new_metrics

__all__ = ["Parts", "build", "new_metrics"]
