"""The promises of the design, each in a file with its number.

A promise that a store keeps is shown on both stores, files and a schema of PostgreSQL (`tests/support/stores.py`): what
is durable (2, 8), written, activated and resumed as a whole (4), brought back from stored vectors (5), kept apart by
generation (1, 7) and by side (9), also under the load of a reload (1, 2, 3). Promise 8 lies in
`tests/process/test_feedback_under_kill.py` and `test_forgetting.py`, promise 10 in `tests/replicas`.

On files alone run

- promise 6, which refuses before a store is asked for anything;
- what 5 and 7 say of requests that are refused, and of vectors, which come from the encoders in memory;
- encoder and reranker swapped at once (1, 3): both lie in memory, and their records are shown in 4;
- what is about a file: a damaged file of vectors (2), and in `make torture` a disk that is full, fails, or tears a
  write. A service has no part in how PostgreSQL writes. `test_2_no_loss_in_postgresql.py` kills its server; one whose
  disk is full is not tried.
"""
