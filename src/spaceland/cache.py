"""Where results that can be computed again are kept."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache_dir() -> Path:
    """`$SPACELAND_CACHE`, else `$XDG_CACHE_HOME/spaceland`, else `~/.cache/spaceland`. Deleting it is always safe."""
    chosen = os.environ.get("SPACELAND_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spaceland"
