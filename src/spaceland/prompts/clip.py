"""Cut triangles at a height, as a saw cuts the walls of a doll's house.

From straight above it does not matter where an upright wall ends, in perspective its upper edge is in full view: a wall
of two tall triangles must end in a straight line and not in a triangle's corner. Each triangle that crosses the height
becomes the one or two triangles below it; colours of new corners are mixed along the cut edges.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from spaceland.scenes.scene import Surface


def clip_below(surface: Surface, chosen: Bool[np.ndarray, "m"], z_m: float) -> tuple[Surface, np.ndarray]:
    """Cut the chosen triangles at world height `z_m` and drop what is above; other triangles stay as they are.

    Returns:
        The surface with new vertices at the end, and for each vertex the old one that it takes its owner from [n].
    """
    assert surface.faces is not None
    faces = np.asarray(surface.faces)
    above = surface.vertices[:, 2] > z_m
    num_above = above[faces].sum(1) * chosen
    crossing = (num_above == 1) | (num_above == 2)
    kept = faces[num_above == 0]
    cut = faces[crossing]
    sides = above[cut]
    # Turn each triangle so that its first corner is the one that is alone on its side.
    lonely = np.where(sides.sum(1) == 1, np.argmax(sides, 1), np.argmin(sides, 1))
    turned = np.take_along_axis(cut, (lonely[:, None] + np.arange(3)) % 3, 1)
    num = len(surface.vertices)
    # New corners on the two edges that leave the lonely one.
    start, ends = turned[:, 0], turned[:, 1:]
    z = surface.vertices[:, 2]
    share = (z_m - z[start])[:, None] / (z[ends] - z[start][:, None])
    new = surface.vertices[start][:, None] + share[..., None] * (
        surface.vertices[ends] - surface.vertices[start][:, None]
    )
    first = num + 2 * np.arange(len(cut))
    peak = above[start]
    a, b = turned[:, 1], turned[:, 2]
    low = np.stack([start, first, first + 1], 1)[~peak]
    quad = np.concatenate([np.stack([first, a, b], 1)[peak], np.stack([first, b, first + 1], 1)[peak]])
    origin = np.concatenate([np.arange(num), np.repeat(start, 2)])
    colors = None
    if surface.colors is not None:
        old = surface.colors.astype(np.float64)
        mixed = old[start][:, None] + share[..., None] * (old[ends] - old[start][:, None])
        colors = np.concatenate([surface.colors, np.rint(mixed).reshape(-1, 3).astype(surface.colors.dtype)])
    ids = None if surface.object_ids is None else surface.object_ids[origin]
    vertices = np.concatenate([surface.vertices, new.reshape(-1, 3)])
    return Surface(vertices, colors, np.concatenate([kept, low, quad]), ids), origin
