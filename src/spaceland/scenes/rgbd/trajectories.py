"""Pose files. Every reader returns camera poses as the file has them, [n, 4, 4]; what they mean is decided later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.geometry.transforms import from_rotation_translation, rotation_from_quaternion


def read_rows(path: Path, width: int) -> Float[np.ndarray, "n {width}"]:
    """Lines of `width` numbers; comment lines (#) and empty ones are left out.

    Raises:
        SceneError: missing, or a line that has other content.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(f"cannot read {path}: {error}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            row = []
        if len(row) != width:
            raise SceneError(
                f"{path}, line {number}: expected {width} numbers, found '{line.strip()[:60]}'; is the file truncated?"
            )
        rows.append(row)
    return np.array(rows, dtype=float).reshape(-1, width)


def matrix_lines(path: Path) -> Float[np.ndarray, "n 4 4"]:
    """One pose a line: 16 numbers, row by row (Replica's traj.txt)."""
    return read_rows(path, 16).reshape(-1, 4, 4)


def quaternion_lines(path: Path) -> Float[np.ndarray, "n 4 4"]:
    """One pose a line: tx ty tz qx qy qz qw."""
    return _from_quaternions(read_rows(path, 7))


def timed_quaternion_lines(path: Path) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n 4 4"]]:
    """Times in seconds and poses from lines of: time tx ty tz qx qy qz qw (TUM's groundtruth.txt)."""
    rows = read_rows(path, 8)
    order = np.argsort(rows[:, 0], kind="stable")
    return rows[order, 0], _from_quaternions(rows[order, 1:])


def log_blocks(path: Path) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n 4 4"]]:
    """Frame numbers and poses from blocks of five lines: three whole numbers, then a 4x4 matrix (Open3D's .log)."""
    try:
        words = path.read_text().split()
        numbers = np.array(words, dtype=float)
    except FileNotFoundError:
        raise SceneError(f"missing file: {path}") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SceneError(f"{path} is not a trajectory of numbers ({error}); copy it again") from error
    if numbers.size % 19:
        raise SceneError(
            f"{path} has {numbers.size} numbers, expected blocks of 19 (three counts and a 4x4 pose); is it truncated?"
        )
    blocks = numbers.reshape(-1, 19)
    return blocks[:, 0], blocks[:, 3:].reshape(-1, 4, 4)


def _from_quaternions(rows: Float[np.ndarray, "n 7"]) -> Float[np.ndarray, "n 4 4"]:
    wxyz = rows[:, [6, 3, 4, 5]]
    # A zero quaternion means "no pose"; NaN says so to the check that counts bad poses.
    lost = np.linalg.norm(wxyz, axis=1) < 1e-6
    rotation = rotation_from_quaternion(np.where(lost[:, None], [1.0, 0.0, 0.0, 0.0], wxyz))
    rotation[lost] = np.nan
    return from_rotation_translation(rotation, rows[:, :3])
