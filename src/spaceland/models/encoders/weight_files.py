"""Where weights are: safetensors files in a folder or on the Hub, of which only the headers are read here.

Pickled files (`model.pt`) are never opened, as opening them runs what they contain. What comes from the Hub is
announced with its licence before a download; a commit may stand after its id: facebook/VGGT-1B@COMMIT.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from spaceland.errors import EncoderError
from spaceland.hub import announce_weights

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl")


class Stored(NamedTuple):
    """A tensor in a file; `key` is its name there."""

    path: Path
    key: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class WeightFiles:
    """The tensors that some safetensors files hold, by name; only their headers have been read.

    `revision` is the commit on the Hub that they belong to; None for files of the user's own.
    """

    where: str
    tensors: Mapping[str, Stored]
    revision: str | None = None

    def under(self, prefix: str) -> WeightFiles:
        """Those whose names begin with `prefix`, without it: one part of a larger model.

        Raises:
            EncoderError: there are none.
        """
        found = {name.removeprefix(prefix): s for name, s in self.tensors.items() if name.startswith(prefix)}
        if not found:
            raise EncoderError(
                f"{self.where} has no weights whose names begin with '{prefix}' (it has {some_of(self.tensors)}); "
                "give weights of this architecture"
            )
        return replace(self, tensors=found)


def find_weights(where: str) -> WeightFiles:
    """The tensors of a folder, a .safetensors file, or an id on the Hub (its licence is said before a download).

    Raises:
        EncoderError: no such folder or id, only pickled weights, or a damaged file.
    """
    path = Path(where).expanduser()
    if path.is_file():
        _refuse_pickled(path)
        return WeightFiles(where, _headers([path]))
    if path.is_dir():
        return WeightFiles(where, _headers(_files_of_folder(path)))
    files = _files_of_hub(where)
    return WeightFiles(where, _headers(files), _commit(files[0]))


def read_config(where: str) -> dict[str, Any]:
    """What `config.json` beside the weights says; empty where there is none.

    Raises:
        EncoderError: no such folder or id, or the file is no JSON object.
    """
    path = Path(where).expanduser()
    if path.is_dir() or path.is_file():
        file = (path if path.is_dir() else path.parent) / "config.json"
        if not file.is_file():
            return {}
    else:
        announce_weights(*_hub_id(where))
        found = _fetch(where, "config.json")
        if found is None:
            return {}
        file = found
    try:
        data = json.loads(file.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise EncoderError(f"{file} is not valid JSON ({error}); copy it again") from error
    if not isinstance(data, dict):
        raise EncoderError(f"{file} holds no JSON object; copy it again")
    return data


def open_safetensors(path: Path) -> Any:
    """A handle to a file's tensors, none of which is read yet.

    Raises:
        EncoderError: it is damaged or none.
    """
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{path} is no readable safetensors file ({error}); copy or download it again") from error


def some_of(names: Iterable[str]) -> str:
    """A few of many names."""
    names = list(names)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _headers(paths: Iterable[Path]) -> dict[str, Stored]:
    tensors = {}
    for path in paths:
        with open_safetensors(path) as handle:
            for key in handle.keys():  # noqa: SIM118  a safetensors handle is no dict
                tensors[key] = Stored(path, key, tuple(handle.get_slice(key).get_shape()))
    return tensors


def _files_of_folder(folder: Path) -> list[Path]:
    if (folder / SINGLE).is_file():
        return [folder / SINGLE]
    if (folder / INDEX).is_file():
        return [_present(folder / name) for name in _shards(folder / INDEX)]
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return found
    for path in sorted(folder.iterdir()):
        _refuse_pickled(path)
    raise EncoderError(
        f"{folder} holds {len(found) or 'no'} .safetensors files and neither {SINGLE} nor {INDEX}; "
        "give the folder (or the one file) with the weights"
    )


def _files_of_hub(where: str) -> list[Path]:
    announce_weights(*_hub_id(where))
    single = _fetch(where, SINGLE)
    if single is not None:
        return [single]
    index = _fetch(where, INDEX)
    if index is None:
        raise EncoderError(
            f"{where} has no {SINGLE} and no {INDEX}; weights in pickled files are not read: choose a repository "
            "with safetensors, or convert them"
        )
    shards = {name: _fetch(where, name) for name in _shards(index)}
    gone = [name for name, path in shards.items() if path is None]
    if gone:
        raise EncoderError(f"{where} lacks {some_of(gone)}, which its {INDEX} names; choose another revision")
    return [path for path in shards.values() if path is not None]


def _shards(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
        if not names or any(Path(name).name != name for name in names):
            raise ValueError("no plain file names")
        return names
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncoderError(f"{index} is no index of safetensors files ({error!r}); copy it again") from error


def _present(path: Path) -> Path:
    if not path.is_file():
        raise EncoderError(f"{path} is missing, which {INDEX} names; copy the folder again")
    return path


def _refuse_pickled(path: Path) -> None:
    if path.suffix in _PICKLED:
        raise EncoderError(
            f"{path} is a pickled file, which could run anything when opened, so it is not read; take the "
            f"repository's {SINGLE}, or convert it yourself where you trust it: "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')"
        )


def _hub_id(where: str) -> tuple[str, str | None]:
    """Repository and revision."""
    repo, _, revision = where.partition("@")
    if where.startswith(("/", ".", "~")) or "\\" in where or repo.count("/") != 1:
        raise EncoderError(
            f"there is no folder or file {where}, and it is no Hugging Face id either; "
            "give a folder with safetensors, or an id such as facebook/VGGT-1B"
        )
    return repo, revision or None


def _commit(path: Path) -> str | None:
    """Of a file in the Hub's cache: models--OWNER--NAME/snapshots/COMMIT/FILE."""
    return path.parent.name if path.parent.parent.name == "snapshots" else None


def _fetch(where: str, name: str) -> Path | None:
    """A file of a repository, from the cache or the net; None where the repository has no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        repo, revision = _hub_id(where)
        return Path(hf_hub_download(repo, name, revision=revision))
    except LocalEntryNotFoundError as error:  # an EntryNotFoundError too, but it means that nobody could be asked
        reason: BaseException = error
    except EntryNotFoundError:
        return None
    except Exception as error:  # no network, no such id, gated: the hub's client raises many kinds
        reason = error
    raise EncoderError(
        f"{where} is neither a folder nor can it be fetched from huggingface.co ({type(reason).__name__}: "
        f"{' '.join(str(reason).split())[:200]}); check the id and the network, accept its terms there and log in "
        "where it asks for that, or give a folder"
    ) from reason
