"""Removes searches that got no feedback, whose counts stay, and all that is known of a user, of which nothing stays."""

from service.learning.insights import COUNTED_DAYS
from service.learning.postgres import forgotten
from service.learning.rows import FORGET_TEXTS, MICROSECONDS_OF_DAY
from service.postgres.database import Connection

# One statement, which sees one moment: a search that gets feedback meanwhile is dropped before it, or is not.
_DROP = """
WITH gone AS (
    DELETE FROM searches WHERE at < %(before)s
        AND NOT EXISTS (SELECT 1 FROM events WHERE events.search = searches.id)
    RETURNING at, asked, generation, coalesce(user_hash, '') AS user_hash, documents
), shown AS (
    INSERT INTO dropped
    SELECT asked, generation, user_hash, sha256(convert_to(documents, 'UTF8')), documents, count(*)
    FROM gone GROUP BY asked, generation, user_hash, documents
    ON CONFLICT (asked, generation, user_hash, digest) DO UPDATE SET searches = dropped.searches + excluded.searches
), days AS (
    INSERT INTO daily
    SELECT at / %(day)s, asked, generation, user_hash, count(*), count(*) FILTER (WHERE documents = '[]')
    FROM gone GROUP BY 1, asked, generation, user_hash
    ON CONFLICT (day, asked, generation, user_hash)
    DO UPDATE SET searches = daily.searches + excluded.searches, empty = daily.empty + excluded.empty
)
SELECT count(*) FROM gone
"""


def drop(connection: Connection, before: int) -> int:
    """Drop searches from before that moment which got no feedback, within a transaction. Returns how many."""
    # Two transactions that drop at once would each wait for rows of the other.
    connection.execute("LOCK TABLE dropped IN SHARE ROW EXCLUSIVE MODE")
    dropped = connection.execute(_DROP, {"before": before, "day": MICROSECONDS_OF_DAY}).fetchone()
    connection.execute("DELETE FROM daily WHERE day < %s", (before // MICROSECONDS_OF_DAY - COUNTED_DAYS,))
    forgotten.drop(connection)
    return int(dropped[0]) if dropped else 0


def forget(connection: Connection, user: str) -> int:
    """Delete everything of the user with this hash, within a transaction. Returns how many searches and events."""
    # Every transaction that writes searches or events begins with the texts, so none is under way while this is held:
    # it would leave something of the user, or refer to a text that is deleted.
    connection.execute("LOCK TABLE asked, dropped IN SHARE ROW EXCLUSIVE MODE")
    events = connection.execute(
        "DELETE FROM events WHERE user_hash = %(user)s OR searcher = %(user)s", {"user": user}
    ).rowcount
    searches = connection.execute("DELETE FROM searches WHERE user_hash = %s", (user,)).rowcount
    connection.execute("DELETE FROM dropped WHERE user_hash = %s", (user,))
    connection.execute("DELETE FROM daily WHERE user_hash = %s", (user,))
    connection.execute(FORGET_TEXTS)
    forgotten.remember(connection, user)
    return events + searches
