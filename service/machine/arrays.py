"""Arrays that travel through every room."""

import numpy as np
from numpy.typing import NDArray

# One vector in a row: float32, (n, dimensions).
Vectors = NDArray[np.float32]
