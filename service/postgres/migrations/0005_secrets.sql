-- The identity of the store, and hashes of the keys that all replicas must have alike. The keys themselves are not here,
-- so that nobody who has the database alone learns who its users are.
CREATE TABLE secrets (name TEXT COLLATE "C" PRIMARY KEY, digest BYTEA NOT NULL);
INSERT INTO secrets VALUES ('identity', uuid_send(gen_random_uuid()));
