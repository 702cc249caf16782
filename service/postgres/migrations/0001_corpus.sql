-- The corpus: documents, the log of their changes, judgements, and the records of generations and jobs.
--
-- Strings that users write are bytes of UTF-8. TEXT would refuse U+0000, and its order would depend on the server;
-- bytes of UTF-8 have the order of code points. JSON is TEXT, because it escapes U+0000.

-- One row. A transaction that writes locks it first, so that one process writes at a time, numbers have no holes, and
-- positions are given in the order of commits.
CREATE TABLE counters (
    one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    last_seq BIGINT NOT NULL DEFAULT 0,
    last_generation BIGINT NOT NULL DEFAULT 0,
    position BIGINT NOT NULL DEFAULT 0,
    judgements_revision BIGINT NOT NULL DEFAULT 0
);
INSERT INTO counters DEFAULT VALUES;

CREATE TABLE changes (
    position BIGINT PRIMARY KEY,
    collection BYTEA NOT NULL,
    before BIGINT NOT NULL,
    added BIGINT[] NOT NULL,
    died BIGINT[] NOT NULL
);

-- How many documents each collection has that has any, and when it was last written to.
CREATE TABLE collections (
    name BYTEA PRIMARY KEY,
    documents BIGINT NOT NULL,
    written TIMESTAMPTZ NOT NULL
);

CREATE TABLE documents (
    seq BIGINT PRIMARY KEY,
    collection BYTEA NOT NULL,
    id BYTEA NOT NULL,
    text BYTEA NOT NULL,
    metadata TEXT NOT NULL,
    hash BYTEA NOT NULL,
    dead BOOLEAN NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX live_documents ON documents (collection, id) WHERE NOT dead;
CREATE INDEX live_order ON documents (collection, seq) WHERE NOT dead;
CREATE INDEX dead_documents ON documents (seq) WHERE dead;
CREATE INDEX same_text ON documents (hash, seq);

-- A value is a number, and the word '', or the number 0 and a word.
CREATE TABLE attributes (
    collection BYTEA NOT NULL,
    key BYTEA NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    number NUMERIC NOT NULL,
    word BYTEA NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (collection, key, kind, number, word, seq)
);

-- `text` is the hash of the text that the judgement is of; null: of the first one that the document gets. Times are
-- ISO 8601 in UTC, so their order is that of their texts.
CREATE TABLE judgements (
    collection BYTEA NOT NULL,
    query BYTEA NOT NULL,
    document BYTEA NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    voice BYTEA NOT NULL,
    good BOOLEAN NOT NULL,
    provenance BYTEA,
    said_by BYTEA,
    at TEXT COLLATE "C",
    weight DOUBLE PRECISION NOT NULL,
    text BYTEA,
    query_node BYTEA NOT NULL,
    document_node BYTEA NOT NULL,
    text_node BYTEA,
    PRIMARY KEY (collection, query, document, source, voice)
);
CREATE INDEX judgements_of_queries ON judgements (query_node);
CREATE INDEX judgements_without_text ON judgements (collection, document) WHERE text IS NULL;
-- Statistics would keep what was removed.
ALTER TABLE judgements
    ALTER COLUMN query SET STATISTICS 0,
    ALTER COLUMN document SET STATISTICS 0,
    ALTER COLUMN voice SET STATISTICS 0,
    ALTER COLUMN provenance SET STATISTICS 0,
    ALTER COLUMN said_by SET STATISTICS 0;

CREATE TABLE sides (node BYTEA PRIMARY KEY, side TEXT COLLATE "C" NOT NULL);
CREATE TABLE sketches (node BYTEA PRIMARY KEY, sketch BYTEA NOT NULL);
CREATE TABLE bands (band BYTEA NOT NULL, node BYTEA NOT NULL, PRIMARY KEY (band, node));

CREATE VIEW judged AS SELECT judgements.*,
    documents.seq IS NULL AS unresolved,
    coalesce(documents.hash <> judgements.text, false) AS stale,
    CASE WHEN sides.side = 'train' AND EXISTS (
        SELECT FROM judgements AS alike
        JOIN sides AS claimed ON claimed.node IN (alike.document_node, alike.text_node)
        WHERE alike.query_node = judgements.query_node AND alike.good AND claimed.side = 'judge'
    ) THEN NULL ELSE nullif(sides.side, 'neither') END AS side
FROM judgements LEFT JOIN sides ON sides.node = judgements.query_node
LEFT JOIN documents ON NOT documents.dead
    AND documents.collection = judgements.collection AND documents.id = judgements.document;

CREATE FUNCTION first_text_of_judged_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE judgements SET text = written.hash FROM written
    WHERE judgements.text IS NULL
        AND judgements.collection = written.collection AND judgements.document = written.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER first_text_of_judged_documents AFTER INSERT ON documents
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION first_text_of_judged_documents();

CREATE TABLE generations (
    number BIGINT PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL,
    activation BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE UNIQUE INDEX one_active ON generations (state) WHERE state = 'active';

CREATE TABLE notes (name BYTEA PRIMARY KEY, value BYTEA NOT NULL);

-- The record of a job names queries. `created` is its time, in ISO 8601.
CREATE TABLE jobs (
    id BYTEA PRIMARY KEY,
    state TEXT COLLATE "C" NOT NULL,
    created TEXT COLLATE "C" NOT NULL,
    record TEXT NOT NULL
);
ALTER TABLE jobs ALTER COLUMN record SET STATISTICS 0;
