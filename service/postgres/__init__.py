"""PostgreSQL: connections, transactions and the schema, for the rooms that keep something there."""
