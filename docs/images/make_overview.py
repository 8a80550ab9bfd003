"""Makes overview.jpg, the picture at the top of the README: the bird's-eye view of a room beside four marked frames.

    spaceland mark rooms:6 --out out/overview
    python docs/images/make_overview.py out/overview docs/images/overview.jpg

The first argument is the folder that `spaceland mark` wrote. Frames are chosen with --frames by their place in the
folder; all sizes are pixels of the finished picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

WIDTH, MARGIN, QUALITY = 1700, 20, 85


def overview(folder: Path, frames: list[int]) -> Image.Image:
    """The bird's-eye view on the left, four frames in two rows on the right, white between them."""
    paths = sorted((folder / "frames").glob("*.jpg"))
    bev = Image.open(folder / "bev.png").convert("RGB")
    pictures = [Image.open(paths[k]).convert("RGB") for k in frames]
    # Both halves get the one height at which everything together is WIDTH wide.
    bev_aspect, frame_aspect = bev.width / bev.height, pictures[0].width / pictures[0].height
    height = round((WIDTH - 4 * MARGIN + frame_aspect * MARGIN) / (bev_aspect + frame_aspect))
    frame_size = round((height - MARGIN) / 2 * frame_aspect), (height - MARGIN) // 2
    bev = bev.resize((WIDTH - 4 * MARGIN - 2 * frame_size[0], height), Image.Resampling.LANCZOS)
    page = Image.new("RGB", (WIDTH, height + 2 * MARGIN), "white")
    page.paste(bev, (MARGIN, MARGIN))
    for k, picture in enumerate(pictures):
        x = 2 * MARGIN + bev.width + (k % 2) * (frame_size[0] + MARGIN)
        y = MARGIN + (k // 2) * (frame_size[1] + MARGIN)
        page.paste(picture.resize(frame_size, Image.Resampling.LANCZOS), (x, y))
    return page


def main() -> None:
    """Read the command line, write the picture."""
    parser = argparse.ArgumentParser(description="Montage of a bird's-eye view and four marked frames.")
    parser.add_argument("folder", type=Path, help="folder that `spaceland mark` wrote")
    parser.add_argument("out", type=Path, help="picture to write")
    parser.add_argument("--frames", type=int, nargs=4, default=[0, 2, 6, 7], help="which marked frames, from 0")
    arguments = parser.parse_args()
    overview(arguments.folder, arguments.frames).save(arguments.out, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
