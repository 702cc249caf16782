"""The commands of the service, one in a file. `service/process/command_line.py` has what they have in common."""
