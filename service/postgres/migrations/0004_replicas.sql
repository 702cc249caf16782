-- The processes on this schema, one of which leads.

-- One row. Whoever takes the lead adds one to the epoch, and what a leader records is of its epoch or refused.
CREATE TABLE leadership (
    is_row BOOLEAN PRIMARY KEY DEFAULT true CHECK (is_row),
    epoch BIGINT NOT NULL
);
INSERT INTO leadership (epoch) VALUES (0);

-- What each process said of itself, and when it did so last, by the clock of this server. "position" is that of the last
-- change which its searches know, "epoch" that of the activation which it answers with, and "prepared" has the numbers
-- of the generations that it could answer with at once.
CREATE TABLE replicas (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    started TIMESTAMPTZ NOT NULL,
    seen TIMESTAMPTZ NOT NULL,
    position BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    prepared BIGINT[] NOT NULL,
    problem TEXT
);
