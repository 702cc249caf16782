"""Client packages of others, unmodified, as they call the service."""
