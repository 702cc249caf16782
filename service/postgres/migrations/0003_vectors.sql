-- Which document fingerprints have stored vectors. Those of store 7 lie in the table vectors_7.
CREATE TABLE vector_stores (
    number INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint TEXT COLLATE "C" NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL,
    used TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- How the documents of a collection are cut into windows. Names of collections may have characters that TEXT has not.
CREATE TABLE windowings (
    store INTEGER NOT NULL REFERENCES vector_stores ON DELETE CASCADE,
    collection BYTEA NOT NULL,
    windowing TEXT NOT NULL,
    PRIMARY KEY (store, collection)
);

-- The indexes that pgvector searches, one for each document fingerprint. That of index 7 lies in the tables points_7 and
-- windows_7, which are made when it is first opened, because this schema does not need the extension.
CREATE TABLE pgvector_indexes (
    number INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint TEXT COLLATE "C" NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL
);

-- Collections in an index, and how their graphs are searched. Without an effort, the search is exact.
CREATE TABLE pgvector_partitions (
    number INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    index INTEGER NOT NULL REFERENCES pgvector_indexes ON DELETE CASCADE,
    collection BYTEA NOT NULL,
    effort INTEGER,
    recall DOUBLE PRECISION,
    min_recall DOUBLE PRECISION,
    points BIGINT,
    UNIQUE (index, collection)
);
