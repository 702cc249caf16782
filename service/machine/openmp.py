"""How long a thread of GNU's OpenMP spins before it sleeps. torch and FAISS compute with such threads.

OpenMP reads this variable of the environment once, when it is loaded, so it must be set before torch or FAISS is
imported. OpenMP's default makes encoding and training many times slower beside a busy neighbour
(docs/measurements.md).
"""

from collections.abc import Mapping

SPIN_COUNT: Mapping[str, str] = {"GOMP_SPINCOUNT": "1000"}
