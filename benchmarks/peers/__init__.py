"""Other servers and indexes, installed beside the service and measured in the same run."""
