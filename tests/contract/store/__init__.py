"""The contract of a corpus store, as `service.corpus.base` says it, held against every store there is."""
