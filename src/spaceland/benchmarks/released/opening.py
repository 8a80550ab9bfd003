"""Rows of a benchmark from wherever they lie, in its released form.

    open_rows("vsibench", ["hf:"])                                   the benchmark's own data set on Hugging Face
    open_rows("sparbench", ["hf:jasonzhango/SPAR-Bench-Tiny@main"])  another, at a revision
    open_rows("blink", ["BLINK#test"])                               a part of a clone or snapshot in a folder
    open_rows("sqa3d", ["questions_test.json", "annotations_test.json"])

How many rows were found is always told beside how many are published; neither is assumed.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from spaceland.benchmarks.known import ScoreError, find_benchmark
from spaceland.benchmarks.predictions import file_sha256
from spaceland.benchmarks.released import hub as hugging_face
from spaceland.benchmarks.released.fitting import listed_pictures, renamed
from spaceland.benchmarks.released.hub import PREFIX, HubFolder
from spaceland.benchmarks.released.table import RELEASED, Alternatives, Released
from spaceland.benchmarks.released.tables import SUFFIXES, read_rows_files
from spaceland.errors import SceneError


@dataclass(frozen=True)
class OpenedRows:
    """Rows, and what they are.

    `source` is for provenance: data set, revision, licence and files, or files with their hashes. `folder` is where the
    rows lie, None for the hub; `hub` the data set, None for local files; `whole` says that a folder was given, so that
    what else lies in it belongs to the rows.
    """

    benchmark: str
    rows: list[dict[str, Any]]
    source: dict[str, Any]
    folder: Path | None
    hub: HubFolder | None = None
    whole: bool = False

    @property
    def counted(self) -> str:
        """One sentence: how many rows there are, and how many are published."""
        name = find_benchmark(self.benchmark)
        return count_sentence(len(self.rows), name.expected_rows, name.title)


def count_sentence(found: int, published: Mapping[str, int], title: str) -> str:
    """Rows found beside rows published.

    >>> count_sentence(5130, {"full": 5131, "debiased": 2363}, "VSI-Bench")
    '5,130 rows; published of VSI-Bench: full 5,131 (1 fewer here), debiased 2,363 (2,767 more here).'
    >>> count_sentence(2363, {"full": 5131, "debiased": 2363}, "VSI-Bench")
    '2,363 rows, as published of VSI-Bench (debiased).'
    """
    same = [split for split, number in published.items() if number == found]
    if same:
        return f"{found:,} rows, as published of {title} ({', '.join(same)})."
    if not published:
        return f"{found:,} rows; how many {title} has published is not known here."
    told = ", ".join(
        f"{split} {number:,} ({abs(found - number):,} {'fewer' if found < number else 'more'} here)"
        for split, number in published.items()
    )
    return f"{found:,} rows; published of {title}: {told}."


def open_rows(benchmark: str, sources: Sequence[str], fields: Sequence[str] = ()) -> OpenedRows:
    """Read rows.

    Args:
        benchmark: Name.
        sources: One `hf:` name, one folder (both with "#PART" where wanted: a part's name or a pattern of paths), or
            files: JSONL, JSON, Parquet, TSV, CSV, XLSX.
        fields: Names of fields as "OURS=THEIRS", before those that are known.

    Raises:
        ScoreError: nothing is there that could be read, or no such part.
        SceneError: a file is broken.
        DependencyError: huggingface_hub or openpyxl is missing.
    """
    find_benchmark(benchmark)
    released = RELEASED[benchmark]
    if not sources:
        raise ScoreError("give a file of rows, a folder of them, or hf: for the data set on Hugging Face")
    of_hub = [source for source in sources if source.startswith(PREFIX)]
    if of_hub and len(sources) > 1:
        raise ScoreError(f"{of_hub[0]} stands alone: give one Hugging Face data set, or files")
    hub, folder, whole = None, None, False
    if of_hub:
        hub, found = _from_hub(benchmark, released, of_hub[0])
        records, folder = _read(found), found[0][0].parent
        source: dict[str, Any] = {
            "repo": hub.repo, "revision": hub.commit, "licence": hub.licence, "files": [name for _, name in found]
        }  # fmt: skip
    else:
        found, folder = _from_disk(benchmark, released, sources)
        whole = len(sources) == 1 and not Path(sources[0]).is_file()
        records = _read(found)
        source = {"files": [{"name": _shown(path, member), "sha256": file_sha256(path)} for path, member in found]}
    given = _fields(fields)
    rows = [
        listed_pictures(
            renamed(
                record | {ours: record[theirs] for ours, theirs in given.items() if theirs in record}, released.fields
            )
        )
        for record in records
    ]
    if released.fit is not None:
        rows = released.fit(rows, found[0][0].parent)
    return OpenedRows(benchmark, rows, source | {"rows": len(rows)}, None if hub else folder, hub, whole)


def _from_hub(benchmark: str, released: Released, text: str) -> tuple[HubFolder, list[tuple[Path, str]]]:
    """The data set, and its tables with their names: "ARCHIVE!MEMBER" for those in archives."""
    asked = hugging_face.parse_name(text)
    repo = asked.repo or released.repo
    if repo is None:
        raise ScoreError(
            f"{benchmark} has no data set of its authors on Hugging Face; its files come from {released.where}. Give "
            "their path, or hf:OWNER/NAME of a copy"
        )
    hub = hugging_face.open_hub(repo, asked.revision)
    wanted = _wanted(released, asked.part)
    chosen = choose(list(hub.sizes), wanted)
    if not chosen:
        raise ScoreError(
            f"{hub} holds no rows of {benchmark}: nothing like {_listed(wanted)} among its {len(hub.sizes)} files"
            f"{' in the cache' if hub.local else ''}; name a part after #: {_parts(released)}, or a pattern of paths"
        )
    beside = [name for name in hub.sizes if PurePosixPath(name).name == "pruned_ids.txt"]
    archives = list(dict.fromkeys(name.partition("!")[0] for name in chosen))
    paths = dict(zip([*archives, *beside], hugging_face.fetch(hub, [*archives, *beside], "rows"), strict=True))
    return hub, [pair for name in chosen for pair in _members(paths[name.partition("!")[0]], name)]


def _from_disk(benchmark: str, released: Released, sources: Sequence[str]) -> tuple[list[tuple[Path, str]], Path]:
    """Tables of one folder by what is known of the benchmark, else all that lie in it; or the files themselves."""
    path, part = Path(sources[0]), None
    if not path.exists() and "#" in sources[0]:
        name, _, part = sources[0].rpartition("#")
        path = Path(name)
    if len(sources) == 1 and path.is_dir():
        names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
        wanted = _wanted(released, part)
        chosen = choose(names, wanted)
        if not chosen and part is None:
            chosen = [name for name in names if "/" not in name and name.lower().endswith(SUFFIXES)]
        if not chosen:
            raise ScoreError(
                f"{path} holds no rows of {benchmark}: nothing like {_listed(wanted)}, and no table beside them; "
                f"the files come from {released.where}"
            )
        return [pair for name in chosen for pair in _members(path / name.partition("!")[0], name)], path
    if part is not None:
        raise ScoreError(f"a part ('#{part}') is of a folder or an hf: data set, and {path} is no folder")
    paths = [Path(source) for source in sources]
    files = [
        file
        for path in paths
        for file in (
            sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
    ]  # fmt: skip
    if not files:
        raise ScoreError(f"{paths[0]} holds no table; expected files that end in {', '.join(SUFFIXES)}")
    for file in files:
        if not file.is_file():
            raise SceneError(f"missing file: {file}; give a file of rows, a folder of them, or hf:")
    return [(file, file.name) for file in files], files[0].parent if paths[0].is_file() else paths[0]


def choose(names: Sequence[str], alternatives: Alternatives) -> list[str]:
    """Names of the first alternative of which anything is there, in the order of its patterns.

    >>> choose(["b/val-0.parquet", "a/val-0.parquet", "a/test-0.parquet"], (("val.jsonl",), ("*/val-*.parquet",)))
    ['a/val-0.parquet', 'b/val-0.parquet']
    """
    for patterns in alternatives:
        found: dict[str, None] = {}
        for pattern in patterns:
            outer, bang, inner = pattern.partition("!")
            found |= {f"{name}{bang}{inner}": None for name in sorted(names) if fnmatchcase(name, outer)}
        tables = [name for name in found if "!" in name or name.lower().endswith(SUFFIXES)]
        if tables:
            return tables
    return []


def _wanted(released: Released, part: str | None) -> Alternatives:
    """Alternatives of a part: by its name, or a pattern of the user's."""
    if part is None:
        return released.files
    if part in released.parts:
        return released.parts[part]
    if not set(part) & set("*?[./!"):
        raise ScoreError(f"no part is called '{part}'; known are {_parts(released)}, or a pattern such as data/test-*")
    return ((part,),)


def _members(path: Path, name: str) -> list[tuple[Path, str]]:
    """The table itself, or those members of an archive that the pattern after "!" names."""
    archive, bang, pattern = name.partition("!")
    if not bang:
        return [(path, name)]
    try:
        with zipfile.ZipFile(path) as opened:
            inside = sorted(member for member in opened.namelist() if fnmatchcase(member, pattern))
    except (OSError, zipfile.BadZipFile) as error:
        raise SceneError(f"{path} is no readable archive ({error}); fetch it again") from error
    if not inside:
        raise ScoreError(f"{archive} holds nothing like {pattern}")
    return [(path, f"{archive}!{member}") for member in inside]


def _read(found: Sequence[tuple[Path, str]]) -> list[dict[str, Any]]:
    """Records of all tables, one after the other."""
    plain = [path for path, name in found if "!" not in name]
    records = read_rows_files(plain) if plain else []
    for path, name in found:
        member = name.partition("!")[2]
        if not member:
            continue
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder) / f"table{PurePosixPath(member).suffix.lower()}"
            unpacked.write_bytes(archive.read(member))
            records += read_rows_files([unpacked])
    return records


def _fields(given: Sequence[str]) -> dict[str, str]:
    """The user's names by field."""
    names = {}
    for text in given:
        ours, sign, theirs = text.partition("=")
        if not (sign and ours and theirs):
            raise ScoreError(f"--fields takes OURS=THEIRS, such as gt_answer=answer; found '{text}'")
        names[ours] = theirs
    return names


def _shown(path: Path, name: str) -> str:
    return name if "!" in name else path.name


def _listed(wanted: Alternatives) -> str:
    shown = [" and ".join(patterns) for patterns in wanted[:3]]
    return f"{', '.join(shown)}{' ...' if len(wanted) > 3 else ''}"


def _parts(released: Released) -> str:
    return ", ".join(released.parts) or "none by name"
