"""Pictures and videos that rows name, brought from released archives to where the rows name them.

A file is found by its path: what the row says and what the archive or data set has must agree to the end of the
shorter one ("data/other_all_image/a.png" for "other_all_image/a.png", "scannetv2_val/b.jpg" for
"ViewSpatial-Bench/scannetv2_val/b.jpg"), so a picture of another folder with the same name is never taken. Nothing is
written outside of the media folder, whatever rows and archives say. Pictures inside of Parquet rows stay there: they
are read when they are shown.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from spaceland.benchmarks.released import hub as hugging_face
from spaceland.benchmarks.released.opening import OpenedRows
from spaceland.benchmarks.released.table import RELEASED, Released
from spaceland.benchmarks.types import Row
from spaceland.errors import OutputError, SceneError
from spaceland.evaluation.media import MediaFinder, MediaMissingError
from spaceland.files import atomic_path
from spaceland.progress import progress_bar

MEDIA_FOLDER = Path("out/media")
"""Where media of a data set go, in a folder for each benchmark, unless the user names another."""
Parts = tuple[str, ...]


@dataclass(frozen=True)
class _Place:
    """Where a file is: a member of an archive, or a file of its own (`archive` None)."""

    archive: str | None
    name: str


def bring_media(opened: OpenedRows, rows: Iterable[Row], folder: Path | None = None) -> Path:
    """The media folder of rows, with what they name unpacked into it where it was not yet.

    Args:
        opened: What was opened.
        rows: Those of its rows that will be shown.
        folder: The user's media folder; without one the folder of the rows where the media lie in it, else a folder
            under `MEDIA_FOLDER`.

    Raises:
        ScoreError: an archive cannot be fetched.
        SceneError: an archive is broken.
        OutputError: the folder cannot be written.
    """
    released = RELEASED[opened.benchmark]
    named = [(row, list(released.media(row))) for row in rows]
    home = opened.folder
    known = opened.hub is not None or opened.whole
    if not known or not any(names for _, names in named):
        return folder or home or MEDIA_FOLDER / opened.benchmark
    if folder is None and home is not None and (not _sources(opened, released) or _any_there(home, named)):
        return home
    target = folder or MEDIA_FOLDER / opened.benchmark
    missing = _missing(target, named)
    if not missing:
        return target
    places = _places(opened, released, missing)
    if places:
        _bring(opened, places, target)
    return target


def _sources(opened: OpenedRows, released: Released) -> list[str]:
    """Archives of media in the data set or folder."""
    names: Iterable[str] = opened.hub.sizes if opened.hub else _files_of(opened.folder)
    return sorted(name for name in names if any(fnmatchcase(name, pattern) for pattern in released.archives))


def _files_of(folder: Path | None) -> Iterator[str]:
    if folder is not None:
        yield from (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _any_there(folder: Path, named: Sequence[tuple[Row, Sequence[str]]]) -> bool:
    return len(_missing(folder, named)) < len({name for _, names in named for name in names})


def _missing(folder: Path, named: Sequence[tuple[Row, Sequence[str]]]) -> list[str]:
    """Names of media that are not where a run would look for them."""
    finder = MediaFinder(folder)
    found: dict[str, None] = {}
    for row, names in named:
        for name in names:
            _check_name(name)
        if not names:
            continue
        try:
            finder.find(row, row)
        except MediaMissingError:
            found |= dict.fromkeys(name for name in names if not _inside(folder, name).exists())
    return list(found)


def _places(opened: OpenedRows, released: Released, missing: Sequence[str]) -> dict[str, _Place]:
    """Where each missing file is, of those that are anywhere: archives first."""
    found: dict[str, _Place] = {}
    archives = _likely(_sources(opened, released), missing)
    for archive, path in zip(archives, _local(opened, archives, "pictures and videos"), strict=True):
        left = [name for name in missing if name not in found]
        try:
            with zipfile.ZipFile(path) as opened_archive:
                members = [info.filename for info in opened_archive.infolist() if not info.is_dir()]
        except (OSError, zipfile.BadZipFile) as error:
            raise SceneError(f"{path} is no readable archive ({error}); fetch it again") from error
        matched = match_paths(left, members, PurePosixPath(archive).stem)
        found |= {name: _Place(archive, member) for name, member in matched.items()}
    left = [name for name in missing if name not in found]
    loose = list(opened.hub.sizes) if opened.hub else list(_files_of(opened.folder))
    return found | {name: _Place(None, file) for name, file in match_paths(left, loose).items()}


def _likely(archives: Sequence[str], missing: Sequence[str]) -> list[str]:
    """Only the archives called like a folder of the files, where every file has one such; else all."""
    by_stem = {PurePosixPath(archive).stem: archive for archive in archives}
    needed: dict[str, None] = {}
    for name in missing:
        stem = next((part for part in PurePosixPath(name).parts[:-1] if part in by_stem), None)
        if stem is None:
            return list(archives)
        needed[by_stem[stem]] = None
    return sorted(needed)


def match_paths(names: Sequence[str], files: Iterable[str], folder: str = "") -> dict[str, str]:
    """For each name the file whose path agrees with it to the end of the shorter one, the longest agreement first.

    A file without any folder agrees with a longer name only if that holds `folder`, the name of its archive.

    >>> match_paths(["top/a/x.png", "b/y.png"], ["a/x.png", "data/b/y.png", "c/y.png"])
    {'top/a/x.png': 'a/x.png', 'b/y.png': 'data/b/y.png'}
    """
    wanted = {PurePosixPath(name).name for name in names}
    whole: dict[Parts, str] = {}
    ends: dict[Parts, str] = {}
    for file in files:
        parts = PurePosixPath(file).parts
        if parts and parts[-1] in wanted:
            whole.setdefault(parts, file)
            for start in range(len(parts)):
                ends.setdefault(parts[start:], file)
    found: dict[str, str] = {}
    for name in names:
        parts = PurePosixPath(name).parts
        if parts in ends:
            found[name] = ends[parts]
            continue
        for start in range(1, len(parts)):
            shorter = parts[start:]
            if shorter in whole and (len(shorter) > 1 or folder in parts[:-1]):
                found[name] = whole[shorter]
                break
    return found


def _local(opened: OpenedRows, names: Sequence[str], what: str) -> list[Path]:
    if opened.hub is not None:
        return hugging_face.fetch(opened.hub, names, what)
    assert opened.folder is not None
    return [opened.folder / name for name in names]


def _bring(opened: OpenedRows, places: Mapping[str, _Place], target: Path) -> None:
    """Unpack members, link or copy single files."""
    by_archive: dict[str | None, list[tuple[str, str]]] = {}
    for name, place in places.items():
        by_archive.setdefault(place.archive, []).append((name, place.name))
    with progress_bar("bringing out media", len(places)) as advance:
        for archive, pairs in by_archive.items():
            if archive is None:
                files = _local(opened, [file for _, file in pairs], "pictures and videos")
                for (name, _), file in zip(pairs, files, strict=True):
                    _link(file.resolve(), _inside(target, name))
                    advance(1, "")
                continue
            path = _local(opened, [archive], "pictures and videos")[0]
            with zipfile.ZipFile(path) as opened_archive:
                for name, member in pairs:
                    _unpack(opened_archive, member, _inside(target, name))
                    advance(1, "")


def _inside(folder: Path, name: str) -> Path:
    """The place of a name in the folder.

    Raises:
        OutputError: it would be outside.
    """
    _check_name(name)
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"'{name[:200]}' leads out of {folder} by a link in it; give another --media")
    return path


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or "\\" in name or "\0" in name:
        raise OutputError(f"a row names the file '{name[:200]}', which is not inside of a media folder; mend the row")


def _unpack(archive: zipfile.ZipFile, member: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(member) as inside, atomic_path(path) as temporary, temporary.open("wb") as out:
            shutil.copyfileobj(inside, out, 1 << 20)
    except (zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise SceneError(f"{member} in {archive.filename} cannot be unpacked ({error}); fetch it again") from error


def _link(file: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, path)
    except OSError:
        with atomic_path(path) as temporary:
            shutil.copyfile(file, temporary)
