"""An index whose vectors lie in PostgreSQL, searched by pgvector: for corpora that no replica can hold in memory."""
