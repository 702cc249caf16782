"""The type of vectors, which every room hands on."""

import numpy as np
from numpy.typing import NDArray

# One vector a row: float32, (n, dimensions).
Vectors = NDArray[np.float32]
