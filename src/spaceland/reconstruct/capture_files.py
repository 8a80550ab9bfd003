"""Chosen pictures of a capture as JPEG files, so that later stages read files and anybody can look at them.

    capture.json     {"format": 1, "id": "room", "source": "room.mp4", "sha256": "...", "fps": 29.97, "complete": true,
                      "skipped": {...}, "frames": [{"id": "frame_000040", "file": "frame_000040.jpg", "index": 40,
                      "timestamp_s": 1.3347, "width": 1920, "height": 1080, "focal_px": null}, ...]}
    frame_000040.jpg ...

`complete` is false while pictures are being written. Files are written whole or not at all, so a second run keeps those
that are there, as long as they come from a source with the same content.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spaceland.errors import SceneError
from spaceland.files import encode_jpeg, read_json, write_bytes, write_json
from spaceland.reconstruct.capture import Capture, only_picture, pictures_at
from spaceland.reconstruct.capture_folder import FolderPictures
from spaceland.reconstruct.types import CaptureImage, Progress

_FORMAT = 1
_QUALITY = 95
_RECORD = "capture.json"
_LOST = "chosen pictures that do not decode"


def write_pictures(capture: Capture, indices: Sequence[int], folder: Path, progress: Progress | None = None) -> Capture:
    """Write the pictures at ascending `indices` into `folder` and return them as a capture of files.

    Pictures keep their id, index, time and focal length. What an earlier run wrote is kept where it fits, and removed
    where it is no longer chosen; other files in the folder are left alone.

    Raises:
        OutputError: a file cannot be written.
        SceneError: none of the pictures can be decoded.
    """
    sha256 = capture.pictures.fingerprint()
    chosen = {index: _entry(capture.images[index]) for index in indices}
    kept = _kept_files(folder, sha256, {entry["file"] for entry in chosen.values()})
    _write_record(capture, folder, sha256, list(chosen.values()), 0, complete=False)
    missing = [index for index, entry in chosen.items() if entry["file"] not in kept]
    if progress:
        progress(len(chosen) - len(missing), "kept from an earlier run" if kept else "")
    written = set(kept)
    for image, picture in pictures_at(capture, missing):
        file = _entry(image)["file"]
        write_bytes(folder / file, encode_jpeg(picture, _QUALITY))
        written.add(file)
        if progress:
            progress(1, image.id)
    entries = [entry for entry in chosen.values() if entry["file"] in written]
    if not entries:
        raise SceneError(f"none of the {len(chosen)} chosen pictures of {capture.source} can be decoded; copy it again")
    _write_record(capture, folder, sha256, entries, len(chosen) - len(entries), complete=True)
    return read_pictures(folder)


def read_pictures(folder: Path) -> Capture:
    """The capture that `write_pictures` left in a folder.

    `images[k].index` is the index in the original capture; positions count the written pictures.

    Raises:
        SceneError: there is none, it is not complete, or files are missing.
    """
    record = read_json(folder / _RECORD)
    try:
        if record["format"] != _FORMAT or not record["complete"]:
            raise SceneError(f"{folder / _RECORD} is not complete; run the stage that writes the pictures again")
        files = tuple(folder / Path(entry["file"]).name for entry in record["frames"])
        pictures = FolderPictures(files)
        images = tuple(
            CaptureImage(
                id=str(entry["id"]),
                index=int(entry["index"]),
                width=int(entry["width"]),
                height=int(entry["height"]),
                color=partial(only_picture, pictures, position, str(files[position])),
                timestamp_s=None if entry["timestamp_s"] is None else float(entry["timestamp_s"]),
                focal_px=None if entry["focal_px"] is None else float(entry["focal_px"]),
            )
            for position, entry in enumerate(record["frames"])
        )
        fps = None if record["fps"] is None else float(record["fps"])
        capture = Capture(str(record["id"]), images, fps, folder, pictures, dict(record["skipped"]))
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(
            f"{folder / _RECORD} is not a record of pictures ({error!r}); delete it and run the stage again"
        ) from error
    gone = [path.name for path in files if not path.is_file()]
    if gone:
        raise SceneError(f"{folder}: {len(gone)} pictures are missing ({', '.join(gone[:3])}); run the stage again")
    return capture


def _entry(image: CaptureImage) -> dict[str, Any]:
    return {
        "id": image.id,
        "file": f"{image.id}.jpg",
        "index": image.index,
        "timestamp_s": image.timestamp_s,
        "width": image.width,
        "height": image.height,
        "focal_px": image.focal_px,
    }


def _kept_files(folder: Path, sha256: str, chosen: set[str]) -> set[str]:
    """Names of chosen files that an earlier run wrote from the same content; its other files are removed."""
    try:
        record = read_json(folder / _RECORD)
        earlier = {Path(str(entry["file"])).name for entry in record["frames"]}
        same = record["format"] == _FORMAT and record["sha256"] == sha256
    except (SceneError, KeyError, TypeError):
        return set()
    keep = {name for name in earlier & chosen if same and (folder / name).is_file()}
    for name in earlier - keep:
        (folder / name).unlink(missing_ok=True)
    return keep


def _write_record(
    capture: Capture, folder: Path, sha256: str, entries: list[dict[str, Any]], num_lost: int, *, complete: bool
) -> None:
    write_json(
        folder / _RECORD,
        {
            "format": _FORMAT,
            "id": capture.id,
            "source": capture.source.name,
            "sha256": sha256,
            "fps": capture.fps,
            "complete": complete,
            "skipped": dict(capture.skipped) | ({_LOST: num_lost} if num_lost else {}),
            "frames": entries,
        },
    )
