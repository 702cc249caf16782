"""What the computer gives: files, threads, memory, child processes."""
