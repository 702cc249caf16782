"""The command by which PostgreSQL copies a schema."""

import re
import shlex


def command(schema: str, file: str) -> str:
    """Return the command that writes a copy of the schema into a `file`."""
    # pg_dump takes a pattern, in which capitals, dots and stars mean something unless the name is quoted.
    is_plain = re.fullmatch(r"[a-z_][a-z0-9_]*", schema)
    pattern = schema if is_plain else shlex.quote('"{}"'.format(schema.replace('"', '""')))
    return f'pg_dump --format=custom --schema={pattern} --file={file} "$INSTAR_STORE"'
