"""The object finder that a setting names."""

from __future__ import annotations

from pathlib import Path

from spaceland.errors import SourceError
from spaceland.objects.types import ObjectFinder


def make_finder(name: str) -> ObjectFinder:
    """`auto` and `detector`: the built-in one. `masks:PATH`, `mask3d:PATH`: the user's own.

    Raises:
        DependencyError: its package is not installed.
        SourceError: there is nothing at the path.
    """
    kind, _, location = name.partition(":")
    if kind in ("auto", "detector"):
        from spaceland.objects.finder import DetectorObjectFinder

        return DetectorObjectFinder()
    path = Path(location).expanduser()
    if not location or not path.exists():
        raise SourceError(f"objects '{name}': there is no file or folder {location or '(empty)'}")
    if kind == "mask3d":
        from spaceland.objects.mask3d import Mask3dFinder

        return Mask3dFinder(path)
    from spaceland.objects.masks import mask_finder

    return mask_finder(path)
