"""Chooses the format and adds what all exports have: a card, an atomic folder, a tally."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from spaceland.datasets.card import dataset_card, source_names
from spaceland.errors import SourceError
from spaceland.exchange import chat, parquet, webdataset
from spaceland.exchange.dataset import Dataset, Progress, Tally
from spaceland.exchange.folder import new_folder, plain_name
from spaceland.exchange.spar7m import write_spar7m
from spaceland.files import read_json, write_text

Format = Literal["spar7m", "llava", "sharegpt", "messages", "parquet", "webdataset"]
FORMATS: dict[str, str] = {
    "spar7m": "the folders, fields and index of SPAR-7M",
    "llava": "LLaVA conversations",
    "sharegpt": "ShareGPT conversations, as LLaMA-Factory reads them",
    "messages": "Hugging Face messages",
    "parquet": "Parquet with the images inside",
    "webdataset": "WebDataset tar files",
}
_WRITERS: dict[str, Any] = {
    "llava": chat.write_llava,
    "sharegpt": chat.write_sharegpt,
    "messages": chat.write_messages,
    "parquet": parquet.write_parquet,
    "webdataset": webdataset.write_webdataset,
}


def export_dataset(
    folder: str | Path,
    out: str | Path,
    format: str,
    *,
    marks: Literal["drawn", "data"] = "drawn",
    name: str | None = None,
    split: str = "train",
    limit: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Tally:
    """Write a dataset folder in another format.

    Args:
        folder: Dataset with rows.jsonl and images.
        out: New or empty folder.
        format: One of `FORMATS`.
        marks: Burnt into the images, or as data beside them. In spar7m they are always data.
        name: Of the dataset; by default that of its folder.
        split: Of spar7m: train or val.
        limit: Only the first so many rows.
        seed: Of the order of lines in spar7m.
        progress: Called with (rows done, scene).

    Raises:
        SourceError: unknown format.
        SceneError: the dataset is broken or an image missing.
        OutputError: `out` is not empty or cannot be written.
    """
    if format not in FORMATS:
        raise SourceError(f"unknown format '{format}'; known are {', '.join(FORMATS)}")
    dataset, out = Dataset(Path(folder), limit), Path(out)
    dataset.count()  # says what is wrong with the folder before anything is written
    name = name or plain_name(Path(folder).resolve().name)
    info_path = dataset.folder / "info.json"
    sources = source_names(read_json(info_path)) if info_path.exists() else []
    with new_folder(out) as temporary:
        if format == "spar7m":
            tally = write_spar7m(dataset, temporary, name=name, split=split, seed=seed, progress=progress)
        else:
            tally = _WRITERS[format](dataset, temporary, drawn=marks == "drawn", progress=progress)
        text = [f"Spatial questions with answers from geometry, as {FORMATS[format]}.", _about_marks(format, marks)]
        card = dataset_card(
            title=name, text=text, rows=tally.rows, configs=_configs(format, temporary, split), sources=sources
        )
        write_text(temporary / "README.md", card)
    return tally


def _about_marks(format: str, marks: str) -> str:
    if format == "spar7m":
        return "Marks are data (`red_point`, `bbox_img_idx`, ...): loaders of SPAR-7M draw them."
    if marks == "drawn":
        return "Marks that questions refer to are drawn into the images."
    return "Marks are data (column `marks`, positions 0 to 1000 of width and height) and not drawn into the images."


def _configs(format: str, out: Path, split: str) -> dict[str, list[str]]:
    if format == "spar7m":
        # One configuration for each task: fields differ by task.
        return {
            folder.name: [f"{folder.relative_to(out).as_posix()}/*/*.jsonl"]
            for folder in sorted(out.glob(f"spar/*/qa_jsonl/{split}/*"))
        }
    if format == "parquet":
        return {"default": ["data/train-*.parquet"]}
    if format == "webdataset":
        return {folder.name: [f"{folder.name}/*.tar"] for folder in sorted(out.glob("images-*"))}
    return chat.data_files(format, out)
