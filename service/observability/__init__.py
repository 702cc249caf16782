"""What can be seen of a running service: metrics, traces, the steps between faults."""
