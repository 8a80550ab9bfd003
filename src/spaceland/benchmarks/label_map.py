"""ScanNet's raw labels as the classes by which ScanRefer tells unique objects from others.

The table `scannetv2-labels.combined.tsv` comes with ScanNet (its terms apply, so it is not part of this package); the
user names its path. Two rules are in use:

    ScanRefer, Chat-Scene    the name in column 8 (nyu40class) as one of 18 classes; all else, unknown labels too: 17
    M3DRef-CLIP, VG LLM      the number in column 5 (nyu40id) where it is one of 20; all else: 39

The table writes "refridgerator", the classes say "refrigerator": by the first rule refrigerators are "others".

An object is unique where it is the only one of its class in the scene, among the objects that somebody described.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from spaceland.benchmarks.known import ScoreError

CLASSES_18 = (
    "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter", "desk", "curtain",
    "refrigerator", "shower curtain", "toilet", "sink", "bathtub", "others",
)  # fmt: skip
OTHERS_18 = CLASSES_18.index("others")
IDS_20 = frozenset((*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39))
OTHERS_20 = 39
_COLUMNS = {1: "raw_category", 4: "nyu40id", 7: "nyu40class"}


@dataclass(frozen=True)
class LabelMap:
    """Raw label -> class, by both rules; `of_18` and `of_20` also take labels that the table lacks."""

    names_18: Mapping[str, int]
    ids_20: Mapping[str, int]

    def of_18(self, object_name: str) -> int:
        """Place in `CLASSES_18` of a name as ScanRefer writes it (underscores for blanks)."""
        return self.names_18.get(object_name.replace("_", " "), OTHERS_18)

    def of_20(self, object_name: str) -> int:
        """NYU40 number of a name as ScanRefer writes it, 39 for all outside `IDS_20`."""
        return self.ids_20.get(object_name.replace("_", " "), OTHERS_20)


def read_label_map(path: Path) -> LabelMap:
    """The table of a path.

    Raises:
        ScoreError: there is no such file, or it is another table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t") if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ScoreError(f"{path} cannot be read ({error}); give the path of scannetv2-labels.combined.tsv") from None
    head = rows[0] if rows else []
    if [head[k] for k in _COLUMNS if k < len(head)] != list(_COLUMNS.values()):
        wanted = ", ".join(f"{name} (column {k + 1})" for k, name in _COLUMNS.items())
        raise ScoreError(f"{path} is not scannetv2-labels.combined.tsv: it lacks {wanted}")
    names, ids = {}, {}
    known = {name: k for k, name in enumerate(CLASSES_18)}
    for number, row in enumerate(rows[1:], 2):
        if len(row) <= max(_COLUMNS) or not row[4].isdecimal():
            raise ScoreError(f"{path}, line {number}: too few columns, or no number for nyu40id; copy the file again")
        # A label that occurs twice has the class of its last line, as in the released codes.
        names[row[1]] = known.get(row[7], OTHERS_18)
        ids[row[1]] = int(row[4]) if int(row[4]) in IDS_20 else OTHERS_20
    return LabelMap(names, ids)
