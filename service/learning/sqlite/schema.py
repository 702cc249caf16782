"""The tables of the database of what users do. `service.learning.rows` writes and reads their rows.

A text that was asked is stored once, in `asked`; the other tables have its number. `dropped` counts searches that were
dropped, by what they have shown, and by their user, so that they can be forgotten. `daily` counts them by the day, from
1970 in UTC. `searcher` is the user of the search that an event belongs to: the event has that user's text, whoever sent
it.
"""

SCHEMA = """
CREATE TABLE IF NOT EXISTS asked (
    number INTEGER PRIMARY KEY,
    collection TEXT NOT NULL,
    query TEXT NOT NULL,
    UNIQUE (collection, query)
);
CREATE TABLE IF NOT EXISTS searches (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    mode TEXT NOT NULL,
    k INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    documents TEXT NOT NULL,
    scores TEXT NOT NULL,
    filter TEXT,
    reranker TEXT,
    key TEXT,
    user TEXT,
    session TEXT,
    query_id TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS searches_by_query_id ON searches (query_id) WHERE query_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS searches_of_asked ON searches (asked);
CREATE INDEX IF NOT EXISTS searches_by_moment ON searches (at, asked, generation);
CREATE INDEX IF NOT EXISTS empty_searches ON searches (at, asked, generation) WHERE documents = '[]';
CREATE INDEX IF NOT EXISTS searches_of_user ON searches (user) WHERE user IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    action TEXT NOT NULL,
    asked INTEGER NOT NULL,
    documents TEXT NOT NULL,
    search TEXT,
    value REAL,
    note TEXT,
    key TEXT,
    user TEXT,
    session TEXT,
    searcher TEXT
);
CREATE INDEX IF NOT EXISTS events_of_asked ON events (asked);
CREATE INDEX IF NOT EXISTS events_of_search ON events (search) WHERE search IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_of_user ON events (user) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_of_searcher ON events (searcher) WHERE searcher IS NOT NULL;
CREATE INDEX IF NOT EXISTS thumbs ON events (number) WHERE action IN ('good', 'bad', 'withdraw');
CREATE INDEX IF NOT EXISTS thumbs_by_moment ON events (at, action, asked, search, documents)
    WHERE action IN ('good', 'bad', 'withdraw');
CREATE TABLE IF NOT EXISTS dropped (
    asked INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    user TEXT NOT NULL,
    documents TEXT NOT NULL,
    searches INTEGER NOT NULL,
    PRIMARY KEY (asked, generation, user, documents)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dropped_of_user ON dropped (user) WHERE user <> '';
CREATE TABLE IF NOT EXISTS daily (
    day INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    user TEXT NOT NULL,
    searches INTEGER NOT NULL,
    empty INTEGER NOT NULL,
    PRIMARY KEY (day, asked, generation, user)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS daily_of_user ON daily (user) WHERE user <> '';
"""

SEARCHES = (
    "SELECT searches.id, at, collection, query, mode, k, generation, checkpoint, documents, scores, filter, reranker,"
    " key, user, session, query_id FROM searches JOIN asked ON asked.number = searches.asked"
)
EVENTS = (
    "SELECT events.number, events.id, at, action, collection, query, documents, search, value, note, key, user, session"
    " FROM events JOIN asked ON asked.number = events.asked"
)
# Of the queries with numbers from one to another: what was shown by searches that were dropped.
DROPPED = (
    "SELECT collection, query, generation, documents, searches FROM dropped JOIN asked ON asked.number = dropped.asked"
    " WHERE dropped.asked BETWEEN ? AND ?"
)
