-- What the processes on this schema must know of each other to learn from users, and to forget them.

-- The users who were forgotten last, and when: what a process still has of them from before, it does not store.
CREATE TABLE forgotten (user_hash TEXT COLLATE "C" PRIMARY KEY, at TIMESTAMPTZ NOT NULL);
ALTER TABLE forgotten ALTER user_hash SET STATISTICS 0;

-- One row. "begun" counts the derivations of judgements that any process has begun, "latest" is the number of the one
-- that has put judgements last, and "events" is the number of the last event that a whole one of them has read.
CREATE TABLE derivations (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    begun BIGINT NOT NULL DEFAULT 0,
    latest BIGINT NOT NULL DEFAULT 0,
    events BIGINT NOT NULL DEFAULT 0
);
INSERT INTO derivations DEFAULT VALUES;
