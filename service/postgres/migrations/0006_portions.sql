-- The embedding of a reload, which all processes share out.

-- The builds whose documents are embedded: one, or what a process that has lost the lead left. "documents" are embedded,
-- and "portions" are not done yet; both are NULL before there is something to embed.
CREATE TABLE builds (
    id UUID PRIMARY KEY,
    leader UUID NOT NULL,
    model TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    documents BIGINT,
    portions BIGINT
);

-- Documents that one process embeds at a time, and how they are cut into windows. A portion is free once its lease has
-- run out, by the clock of this server, unless it is done.
CREATE TABLE portions (
    build UUID NOT NULL,
    number INTEGER NOT NULL,
    overlap INTEGER NOT NULL,
    most INTEGER NOT NULL,
    seqs BIGINT[] NOT NULL,
    holder UUID,
    leased_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity',
    is_done BOOLEAN NOT NULL DEFAULT false,
    PRIMARY KEY (build, number)
);
CREATE INDEX portions_to_do ON portions (build, number) WHERE NOT is_done;
