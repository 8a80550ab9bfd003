"""Small videos, and which row a request is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

NUM_FRAMES = 12


def write_frames(path: Path, seed: int, frames: int = NUM_FRAMES) -> None:
    """A small video; every frame is one grey of its own."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(frames):
            pixels = np.full((48, 64, 3), 20 * index + seed, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())


def question_number(body: Mapping[str, Any]) -> int:
    """Which row a request is about."""
    content = body["messages"][-1]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    found = re.search(r"Question (\d+)\?", text)
    assert found is not None
    return int(found[1])
