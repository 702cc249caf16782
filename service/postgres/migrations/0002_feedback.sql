-- What users do: searches, events, and counts of searches that were dropped.
--
-- A text that was asked is stored once, in "asked"; the other tables have its number, which is lower the earlier it was
-- asked first. Its digest is the SHA-256 of its collection, U+0000 and the text, because an index takes no long texts.
-- "documents" is JSON: ids with ranks of a search, ids of an event. Moments are microseconds from 1970, and days are
-- those of UTC from 1970. "user_hash" and "session" are keyed hashes.

CREATE SEQUENCE asked_numbers;
CREATE TABLE asked (
    number BIGINT PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    collection TEXT NOT NULL,
    query TEXT NOT NULL
);

CREATE TABLE searches (
    id TEXT COLLATE "C" PRIMARY KEY,
    at BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    mode TEXT NOT NULL,
    k BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    checkpoint TEXT NOT NULL,
    documents TEXT NOT NULL,
    scores TEXT NOT NULL,
    filter TEXT,
    reranker TEXT,
    key TEXT,
    user_hash TEXT COLLATE "C",
    session TEXT COLLATE "C",
    query_id TEXT COLLATE "C"
);
CREATE UNIQUE INDEX searches_by_query_id ON searches (query_id) WHERE query_id IS NOT NULL;
CREATE INDEX searches_of_asked ON searches (asked);
CREATE INDEX searches_by_moment ON searches (at, asked, generation);
CREATE INDEX empty_searches ON searches (at, asked, generation) WHERE documents = '[]';
CREATE INDEX searches_of_user ON searches (user_hash) WHERE user_hash IS NOT NULL;

-- "searcher" is the user of the search that an event belongs to: the event has that user's text, whoever sent it.
-- Numbers are in the order of arrival.
CREATE SEQUENCE event_numbers;
CREATE TABLE events (
    number BIGINT PRIMARY KEY,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    at BIGINT NOT NULL,
    action TEXT NOT NULL,
    asked BIGINT NOT NULL,
    documents TEXT NOT NULL,
    search TEXT COLLATE "C",
    value DOUBLE PRECISION,
    note TEXT,
    key TEXT,
    user_hash TEXT COLLATE "C",
    session TEXT COLLATE "C",
    searcher TEXT COLLATE "C"
);
CREATE INDEX events_of_asked ON events (asked);
CREATE INDEX events_of_search ON events (search) WHERE search IS NOT NULL;
CREATE INDEX events_of_user ON events (user_hash) WHERE user_hash IS NOT NULL;
CREATE INDEX events_of_searcher ON events (searcher) WHERE searcher IS NOT NULL;
CREATE INDEX thumbs ON events (number) WHERE action IN ('good', 'bad', 'withdraw');
CREATE INDEX thumbs_by_moment ON events (at) WHERE action IN ('good', 'bad', 'withdraw');

-- Searches that were dropped, by what they have shown, and by their user, so that they can be forgotten. The digest is
-- the SHA-256 of the documents.
CREATE TABLE dropped (
    asked BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    user_hash TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    documents TEXT NOT NULL,
    searches BIGINT NOT NULL,
    PRIMARY KEY (asked, generation, user_hash, digest)
);
CREATE INDEX dropped_of_user ON dropped (user_hash) WHERE user_hash <> '';

-- The same searches by the day.
CREATE TABLE daily (
    day BIGINT NOT NULL,
    asked BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    user_hash TEXT COLLATE "C" NOT NULL,
    searches BIGINT NOT NULL,
    empty BIGINT NOT NULL,
    PRIMARY KEY (day, asked, generation, user_hash)
);
CREATE INDEX daily_of_user ON daily (user_hash) WHERE user_hash <> '';

-- The planner's statistics have values of columns, and would keep those of a user who was forgotten.
ALTER TABLE asked ALTER query SET STATISTICS 0, ALTER digest SET STATISTICS 0;
ALTER TABLE searches
    ALTER id SET STATISTICS 0, ALTER documents SET STATISTICS 0, ALTER filter SET STATISTICS 0,
    ALTER user_hash SET STATISTICS 0, ALTER session SET STATISTICS 0, ALTER query_id SET STATISTICS 0;
ALTER TABLE events
    ALTER id SET STATISTICS 0, ALTER documents SET STATISTICS 0, ALTER search SET STATISTICS 0,
    ALTER note SET STATISTICS 0, ALTER user_hash SET STATISTICS 0, ALTER session SET STATISTICS 0,
    ALTER searcher SET STATISTICS 0;
ALTER TABLE dropped
    ALTER user_hash SET STATISTICS 0, ALTER digest SET STATISTICS 0, ALTER documents SET STATISTICS 0;
ALTER TABLE daily ALTER user_hash SET STATISTICS 0;
