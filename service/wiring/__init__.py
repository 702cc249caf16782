"""The composition root: from the settings to the parts of a service. It alone knows every implementation."""
