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
