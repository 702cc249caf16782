"""Steps that every request passes before its route, one idea a file."""
