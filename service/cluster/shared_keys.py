"""Keys that all replicas must have alike, because one must know a hash or a cookie that another one has made.

The database has their hashes alone: whoever has it must not learn who its users are.
"""

from hashlib import sha256
from pathlib import Path
from uuid import UUID

from service.errors import StorageFailed
from service.machine.secret_file import make_secret, read_secret
from service.postgres.database import Database

_DAMAGED = "is damaged: copy it from another replica"


def identity(database: Database) -> UUID:
    """Return the identity of the store, which it keeps when it is restored or replicated."""
    with database.read() as connection:
        ((identity,),) = connection.execute("SELECT digest FROM secrets WHERE name = 'identity'").fetchall()
    return UUID(bytes=bytes(identity))


def require_common(database: Database, path: Path) -> None:
    """Make the key in the file if no replica has one yet.

    Raises StorageFailed if it is not the one that the other replicas have, or cannot be read or written.
    """
    with database.write() as connection:
        # Two replicas that are the first must not make two keys.
        connection.execute("LOCK TABLE secrets")
        rows = connection.execute("SELECT digest FROM secrets WHERE name = %s", (path.name,)).fetchall()
        key = read_secret(path, _DAMAGED)
        if not rows:
            made = sha256(key or make_secret(path)).digest()
            connection.execute("INSERT INTO secrets VALUES (%s, %s)", (path.name, made))
        elif key is None or sha256(key).digest() != bytes(rows[0][0]):
            raise StorageFailed(
                f"{path} is not the key that the other replicas have: copy {path.name} from one of them, or name a"
                " folder that all share in INSTAR_REPLICAS__SECRETS_DIR"
            )
