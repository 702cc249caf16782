"""The console in a real browser: by keyboard and by mouse, for everybody, and against those who mean harm."""
