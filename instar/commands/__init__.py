"""The commands that ask a service, one in a file."""
