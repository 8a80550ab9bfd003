"""Data sets of the Hugging Face hub: which files there are, and those that are needed on this disk.

What is in the hub's own cache is used without a network (also with HF_HUB_OFFLINE=1). The name of the data set, its
commit, its licence and what will be fetched are said before anything is; the commit goes into provenance.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spaceland.benchmarks.known import ScoreError
from spaceland.errors import require

PREFIX = "hf:"
_ID = re.compile(r"(?!.*(?:--|\.\.))\w[\w.-]{0,95}/\w[\w.-]{0,95}(?<![.-])", re.ASCII)
_LICENCE = re.compile(r"^license(?:_name)?:[ \t]*(\S[^\n]*)$", re.MULTILINE)
_HEAD = 4000
_TIMEOUT_S = 30


@dataclass(frozen=True)
class HubName:
    """What `hf:OWNER/NAME@REVISION#PART` names; None where it leaves something out."""

    repo: str | None
    revision: str | None
    part: str | None


@dataclass(frozen=True)
class HubFolder:
    """A data set at one commit. `sizes` are its files (bytes, None where not known); `local` holds it where the hub
    could not be asked, and then they are what is there."""

    repo: str
    commit: str
    licence: str
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    local: Path | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.commit[:12]}"


def parse_name(text: str) -> HubName:
    """Parse `hf:`, `hf:OWNER/NAME`, with `@REVISION` and `#PART` where wanted.

    >>> parse_name("hf:nyu-visionx/VSI-Bench@v1#debiased")
    HubName(repo='nyu-visionx/VSI-Bench', revision='v1', part='debiased')

    Raises:
        ScoreError: it is something else.
    """
    rest, _, part = text.removeprefix(PREFIX).partition("#")
    repo, _, revision = rest.partition("@")
    if repo and not _ID.fullmatch(repo):
        raise ScoreError(f"'{text}' names no data set; expected hf:, hf:OWNER/NAME, or hf:OWNER/NAME@REVISION#PART")
    return HubName(repo or None, revision or None, part or None)


def open_hub(repo: str, revision: str | None = None) -> HubFolder:
    """Look a data set up; from the cache where the hub cannot be reached.

    Raises:
        ScoreError: there is no such data set or revision, or neither the hub nor the cache has it.
        DependencyError: huggingface_hub is missing.
    """
    require("huggingface_hub", "hub")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RevisionNotFoundError

    try:
        info = HfApi().dataset_info(repo, revision=revision, files_metadata=True, timeout=_TIMEOUT_S)
    except RevisionNotFoundError:
        raise ScoreError(
            f"the data set {repo} has no revision '{revision}'; leave @{revision} out for its main"
        ) from None
    except Exception as error:  # no network, offline mode, a proxy, a private or missing data set: kinds differ
        refused = isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403, 404)
        return _cached(repo, revision, error, refused=refused)
    card = info.card_data
    licence = (card.get("license_name") or card.get("license")) if card else None
    return HubFolder(
        repo, str(info.sha), _licence_text(licence), {file.rfilename: file.size for file in info.siblings or ()}
    )


def _cached(repo: str, revision: str | None, problem: Exception, *, refused: bool) -> HubFolder:
    """The data set as an earlier download left it, which may be a part of it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repo, repo_type="dataset", revision=revision, local_files_only=True))
    except LocalEntryNotFoundError as error:
        # An interrupted download says where it is; what is there is whole, file by file.
        partial = getattr(error, "snapshot_path", None)
        if partial is None:
            at = f" at '{revision}'" if revision else ""
            what = "check the id, or accept its terms on its page and log in (hf auth login)" if refused else (
                "check the network, or give the folder of a copy that you have"
            )  # fmt: skip
            raise ScoreError(
                f"the data set {repo}{at} could not be had from the Hugging Face hub ({_short(problem)}) and is not in "
                f"its cache; {what}"
            ) from problem
        folder = Path(partial)
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return HubFolder(repo, folder.name, _licence_in(folder / "README.md"), sizes, folder)


def fetch(hub: HubFolder, names: Sequence[str], what: str) -> list[Path]:
    """Files of a data set on this disk, those that are not there yet downloaded.

    Args:
        hub: The data set.
        names: Paths in it.
        what: What they are, for the message that is printed before a download.

    Raises:
        ScoreError: one cannot be had.
    """
    if hub.local is not None:
        return [hub.local / name for name in names]
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    there = {
        name: found
        for name in names
        if isinstance(found := try_to_load_from_cache(hub.repo, name, repo_type="dataset", revision=hub.commit), str)
    }
    missing = [name for name in names if name not in there]
    if missing:
        print(
            f"{what}: {len(missing)} files of {hub}{_size(hub.sizes[name] for name in missing)}, licence {hub.licence}",
            file=sys.stderr,
            flush=True,
        )
    for name in missing:
        try:
            there[name] = hf_hub_download(hub.repo, name, repo_type="dataset", revision=hub.commit)
        except Exception as error:  # as above
            raise ScoreError(
                f"{name} of {hub} cannot be fetched ({_short(error)}); accept the terms on the data set's page and log "
                "in where it asks for that, or try again"
            ) from error
    return [Path(there[name]) for name in names]


def _size(sizes: Iterable[int | None]) -> str:
    known = [size for size in sizes if size is not None]
    total = sum(known)
    unit, scale = next((pair for pair in (("GB", 1e9), ("MB", 1e6)) if total >= pair[1]), ("kB", 1e3))
    return f", {total / scale:.1f} {unit}" if known else ""


def _licence_in(card: Path) -> str:
    """The licence that a data set's card states at its head."""
    head = card.read_text("utf-8", errors="replace")[:_HEAD] if card.is_file() else ""
    found = _LICENCE.search(head.split("\n---", 1)[0]) if head.startswith("---") else None
    return _licence_text(found[1].strip() if found else None)


def _licence_text(stated: object) -> str:
    named = ", ".join(map(str, stated)) if isinstance(stated, list) else stated
    return str(named) if named else "not stated, see its page"


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
