"""Scan2Cap: describe an object of a scanned room (the objects of ScanRefer val; one caption for each).

A row is an object with all its reference descriptions and the box that was captioned; the IoU of that box with the true
one decides whether the caption counts at all (m@kIoU, k = 0.25 and 0.5):

    {"scene_id": "scene0011_00", "object_id": "8", "object_name": "office_chair", "iou": 0.62,
     "descriptions": ["This is a black chair. It stands by the desk."], "tokens": [["this", "is", "a", ...]]}

Instead of `iou` a row may hold `pred_box` and `gt_box` (centre and size, six numbers, axis-aligned); VG-LLM's and
Chat-Scene's names for the references, `annotations` and `ref_captions`, are read too. Several rows of one object are
several proposals (told apart by `proposal`). Rows of ScanRefer are grouped by `rows_from_scanrefer`.

All codes in use wrap captions as "sos ... eos", which raises every metric but CIDEr, and fill objects without caption
with "sos eos". They differ in the words, in `>` or `>=`, and in that placeholder. Figures are x 100, so CIDEr goes to
1000; overall is CIDEr@0.5, as papers report. A row's own score is its CIDEr@0.5 / 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from spaceland.benchmarks.box_rows import asked_words
from spaceland.benchmarks.clean import strict_text
from spaceland.benchmarks.frames import MARKED, PLAIN, FramePolicy
from spaceland.benchmarks.scan2cap_rows import descriptions_of, iou_of, object_key, problem_of, released_fields, row_id
from spaceland.benchmarks.scan2cap_rows import rows_from_scanrefer as rows_from_scanrefer
from spaceland.benchmarks.scan2cap_rows import spaced as spaced
from spaceland.benchmarks.text.corpus import CaptionScore, caption_table, corpus_figures
from spaceland.benchmarks.text.ptb import tokenize
from spaceland.benchmarks.types import Benchmark, Protocol, Reply, Row, RowScore, Summary
from spaceland.questions.answers_boxes import two_decimals

THRESHOLDS = (0.25, 0.5)
MAX_TOKENS = 30
PROMPTS = {
    "video-3d-llm": "Given an object located at <coord> , describe the object in detail.",
    "vg-llm": "Carefully watch the video and describe the object located at [{x}, {y}, {z}] in detail.",
    "chat-scene": "Describe the appearance of the {mark}, then elaborate on its positioning relative to other objects "
    "in the scene.",
}
FRAMES: dict[str, FramePolicy] = {
    "official": PLAIN,
    "chat-scene": MARKED,
    "video-3d-llm": FramePolicy(published="frames 32, rule uniform"),
    "vg-llm": FramePolicy(published="frames 32, rule circular"),
}


@dataclass(frozen=True)
class CaptionRule:
    """How one code scores captions.

    `candidate` and `references` give the texts that are compared, `placeholder` stands for an object without caption.
    A caption counts when the IoU is above (`strictly`) or at least the threshold. `keep` says which one counts of
    several proposals of an object: the last that counts, the best IoU, the last one whatever its IoU, or all ("rows":
    every row is an item of its own). `partial` leaves objects without any reply out of the corpus.
    """

    candidate: Callable[[str], str]
    references: Callable[[Row], list[str]]
    placeholder: str = "sos eos"
    ptb: bool = False
    strictly: bool = False
    keep: Literal["last-good", "best", "last", "rows"] = "last"
    partial: bool = False

    def score(self, rows: Sequence[Row], replies: Sequence[Reply]) -> list[RowScore]:
        """A score for every row; the first row of an object carries it into the corpus."""
        items: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            items.setdefault(f"{index}" if self.keep == "rows" else object_key(row), []).append(index)
        if self.partial:
            items = {key: group for key, group in items.items() if any(replies[index] is not None for index in group)}
        ious = [iou_of(row) for row in rows]
        words = tokenize if self.ptb else str
        references = [[words(text) for text in self.references(rows[group[0]])] for group in items.values()]
        tables, chosen = {}, {}
        for threshold in THRESHOLDS:
            name = f"@{threshold}"
            chosen[name] = [self._choose(group, ious, replies, threshold) for group in items.values()]
            candidates = [
                self.placeholder if index is None else self.candidate(replies[index] or "") for index in chosen[name]
            ]
            tables[name] = caption_table(references, [words(text) for text in candidates])
        by_item = {name: table.rows() for name, table in tables.items()}
        scores: list[RowScore] = [RowScore(0.0) for _ in rows]
        for line, group in enumerate(items.values()):
            metrics = {f"{metric}{name}": value for name in tables for metric, value in by_item[name][line].items()}
            counted = chosen["@0.5"][line]
            for index in group:
                own = min(1.0, (metrics["CIDEr@0.5"] or 0.0) / 10) if index == counted else 0.0
                first = index == group[0]
                scores[index] = CaptionScore(own, metrics if first else {}, tables, line if first else None)
        return scores

    def _choose(
        self, group: Sequence[int], ious: Sequence[float], replies: Sequence[Reply], threshold: float
    ) -> int | None:
        """The row whose caption counts for an object; None where there is none."""
        given = [index for index in group if replies[index] is not None]
        good = [i for i in given if (ious[i] > threshold if self.strictly else ious[i] >= threshold)]
        if not good:
            return None
        if self.keep == "best":
            return max(good, key=lambda index: ious[index])
        if self.keep == "last-good":
            return good[-1]
        return given[-1] if given[-1] in good else None


def prompt(row: Row, protocol: str = "official") -> str:
    """How a protocol's code asks for the caption: in the row's own words where it has them, else by its mark `pred_id`,
    or the place `center_camera` of the box in the first frame's camera.

    Own words are `prompt` (Chat-Scene draws one of ten templates when it prepares rows) and VG LLM's `conversations`.
    VG LLM's words begin with the line break behind the pictures.

    Raises:
        KeyError: the row names neither a mark nor a place, as the protocol's words need it.
    """
    if row.get("prompt"):
        return str(row["prompt"])
    if protocol == "video-3d-llm":
        return PROMPTS[protocol]
    asked = asked_words(row)
    if asked is not None:
        return asked
    if protocol != "vg-llm" and "pred_id" in row:
        return PROMPTS["chat-scene"].format(mark=f"<OBJ{int(row['pred_id']):03}>")
    if row.get("center_camera") is None:
        raise KeyError("center_camera")
    x, y, z = two_decimals(row["center_camera"][:3])
    return "\n" + PROMPTS["vg-llm"].format(x=x, y=y, z=z)


def wrapped(text: str) -> str:
    return f"sos {text} eos"


def _token_references(row: Row) -> list[str]:
    """The first 30 released tokens of each description; where rows have none, its spaced words."""
    tokens = row.get("tokens") or [spaced(text).split() for text in descriptions_of(row)]
    return [wrapped(" ".join(map(str, words[:MAX_TOKENS]))) for words in tokens]


def _spaced_references(row: Row) -> list[str]:
    return [wrapped(spaced(text)) for text in descriptions_of(row)]


def _plain_references(row: Row) -> list[str]:
    return [wrapped(text) for text in descriptions_of(row)]


def _strict_references(row: Row) -> list[str]:
    return [strict_text(text) for text in descriptions_of(row)]


def _protocol(name: str, about: str, rule: CaptionRule, deviations: dict[str, str]) -> Protocol:
    return Protocol(name, about, rule.score, _summarise, deviations)


def _summarise(rows: Sequence[Row], scores: Sequence[RowScore]) -> Summary:
    figures = corpus_figures(scores)
    overall = figures.get("CIDEr@0.5")
    return Summary(overall, {"caption": overall} if figures else {}, figures)


_WRAPPED = {"sos-eos": "both sides are wrapped in sos and eos, two free words that raise every metric but CIDEr"}
_ORACLE = {"oracle-box": "the box was chosen by its IoU with the true one, so this is no detection score"}
_TOKENS = {"thirty-tokens": "references are cut after 30 tokens; candidates are not"}
_TWO_SPACES = {
    "two-spaces": "an object without caption gives 'sos  eos'; ROUGE-L counts the empty word between the spaces"
}

PROTOCOLS = (
    _protocol(
        "official",
        "Scan2Cap lib/eval_helper.py: first 30 tokens, IoU strictly above, the last caption of an object counts",
        CaptionRule(
            lambda reply: wrapped(" ".join(spaced(reply).split())),
            _token_references,
            strictly=True,
            keep="last-good",
        ),
        {
            "strictly-above": "an IoU of exactly 0.5 does not count",
            "last-wins": "of several proposals of an object the last one above the threshold counts, not the best",
            "free-text": "the released captioner emits tokens; a reply is brought into the same words first",
            **_TOKENS,
            **_WRAPPED,
        },
    ),
    _protocol(
        "ll3da",
        "Vote2Cap-DETR and LL3DA eval_utils/evaluate_densecap.py: as official, the best box of an object counts",
        CaptionRule(lambda reply: wrapped(reply).replace("  ", " "), _token_references, strictly=True, keep="best"),
        {
            "strictly-above": "an IoU of exactly 0.5 does not count",
            "reply-as-it-is": "a reply is not made small and 'desk.' is another word than 'desk'",
            **_TOKENS,
            **_WRAPPED,
        },
    ),
    _protocol(
        "leo",
        "LEO evaluator/cap_eval.py: '. ' spaced out, no tokeniser, objects without reply leave the corpus",
        CaptionRule(lambda reply: wrapped(reply).replace(". ", " . "), _token_references, partial=True),
        {
            "partial-evaluation": "only objects with a reply are scored, so leaving out hard ones raises the score",
            "reply-as-it-is": "a reply is not made small, and commas stay on words",
            **_TOKENS,
            **_WRAPPED,
            **_ORACLE,
        },
    ),
    _protocol(
        "video-3d-llm",
        "Video-3D-LLM llava/eval/eval_scan2cap.py: . and , spaced out, small letters, no tokeniser",
        CaptionRule(lambda reply: wrapped(spaced(reply)), _spaced_references, placeholder="sos  eos", keep="rows"),
        {**_TWO_SPACES, **_WRAPPED, **_ORACLE},
    ),
    _protocol(
        "vg-llm",
        "VG-LLM lmms_eval/tasks/scan2cap: as Video-3D-LLM, the reply is dropped where the row's IoU is below 0.5",
        CaptionRule(lambda reply: wrapped(spaced(reply)), _spaced_references, placeholder="sos  eos", keep="rows"),
        {**_TWO_SPACES, **_WRAPPED, **_ORACLE},
    ),
    _protocol(
        "chat-scene",
        "Chat-Scene and GPT4Scene utils/eval.py: PTB words, IoU at least, at 0.25 and 0.5; printed there as 0 to 1",
        CaptionRule(lambda reply: wrapped(reply).replace("\n", " "), _plain_references, ptb=True),
        {"printed-0-to-1": "the code prints 0 to 1 (CIDEr 0 to 10); figures here are x 100", **_WRAPPED, **_ORACLE},
    ),
    _protocol(
        "strict",
        "PTB words without articles and without sos and eos, IoU at least, nothing for an object without caption",
        CaptionRule(strict_text, _strict_references, placeholder="", keep="best"),
        {},
    ),
)

BENCHMARK = Benchmark(
    name="scan2cap",
    title="Scan2Cap",
    protocols=PROTOCOLS,
    row_id=row_id,
    task_of=lambda row: "caption",
    problem_of=problem_of,
    adapt=released_fields,
)
