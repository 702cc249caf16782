"""The machine that tries to break Instar: see README.md beside this file."""
