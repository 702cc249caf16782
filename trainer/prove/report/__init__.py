"""The report: what it holds, and how it is shown."""
