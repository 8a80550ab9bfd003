"""Matrices in text files, one row a line: poses and intrinsics of many datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError


def read_matrix(path: Path) -> Float[np.ndarray, "r c"]:
    """A matrix from a text file, one row a line.

    Raises:
        SceneError: missing, or not numbers in rows of equal length.
    """
    try:
        rows = [[float(word) for word in line.split()] for line in path.read_text().splitlines() if line.strip()]
        matrix = np.array(rows, dtype=float)
        if matrix.ndim != 2:
            raise ValueError("no rows of equal length")
        return matrix
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, ValueError) as error:
        raise SceneError(f"{path} is not a matrix of numbers ({error}); the file may be truncated") from error


def read_pose(path: Path) -> Float[np.ndarray, "4 4"] | None:
    """A 4x4 pose from a text file; None when the file is truncated or holds other things."""
    try:
        pose = read_matrix(path)
    except SceneError:
        return None
    return pose if pose.shape == (4, 4) else None
