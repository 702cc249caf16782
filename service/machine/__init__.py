"""Resources of the computer: files, threads, memory, child processes."""
