-- The ticket of what a replica was asked to prepare and cannot; "problem" says why.
ALTER TABLE replicas ADD COLUMN unable BIGINT;
