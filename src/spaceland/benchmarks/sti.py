"""STI-Bench: sizes, distances, poses and motions in videos of streets, rooms and desks, eight tasks, five options."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from spaceland.benchmarks.cards import Card, GroupedMeans, bare_letter, check_protocol
from spaceland.benchmarks.choices import sti_letter
from spaceland.benchmarks.frames import FramePolicy
from spaceland.benchmarks.types import Row
from spaceland.benchmarks.vlmevalkit import option_letter

FRAMES: dict[str, FramePolicy] = {
    "official": FramePolicy(
        num=30,
        published="num 30, rule as many frames a second as give at most 30 over the video; its own rate for short ones",
    )
}
PROMPTS = {
    "official": "From {start} s to {end} s. {question}\n{options}\nPlease output only the option letter!",
}
_LONGEST = 20_000


def prompt(row: Row, protocol: str = "official") -> str:
    """The stretch of time, the question, options as "(A) text".

    Raises:
        KeyError: there is no such protocol.
    """
    check_protocol(BENCHMARK, protocol)
    return PROMPTS["official"].format(
        start=row["time_start"], end=row["time_end"], question=row["Question"],
        options="\n".join(f"({letter}) {text}" for letter, text in candidates(row).items()),
    )  # fmt: skip


def candidates(row: Row) -> dict[str, str]:
    """Options by letter; released as JSON text. Empty where they cannot be read."""
    given = row.get("Candidates")
    if isinstance(given, str) and len(given) <= _LONGEST:
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    return {str(letter): str(text) for letter, text in given.items()} if isinstance(given, dict) else {}


def scene_type(row: Row) -> str:
    """The row's `scene`, else by the video's file name as the official code does."""
    named = row.get("scene") or row.get("Scene")
    if named:
        return str(named)
    name = PurePosixPath(str(row["Video"])).name
    if "camera" in name:
        return "outdoor"
    if name.startswith("scene"):
        return "indoor"
    stem = name.split(".")[0]
    return "desktop" if stem.isdigit() and len(stem) == 6 else "unknown"


_CARD = Card(
    name="sti",
    title="STI-Bench",
    fields=("Video", "Task", "Question", "Candidates", "Answer"),
    identity=("Video", "ID", "time_start", "time_end", "Question"),
    letter_of=lambda row: bare_letter(row["Answer"]),
    options_of=lambda row: list(candidates(row).values()),
    task_of=lambda row: str(row["Task"]),
    most_options=5,
    expected_rows={"test (from memory)": 2064},
)
_MEANS = GroupedMeans(_CARD.task_of, overall="rows", by=scene_type)
BENCHMARK = _CARD.benchmark(
    _CARD.protocol(
        "official", "the scorer of STI-Bench (43ddebe)", lambda reply, row: sti_letter(reply), _MEANS,
        {
            "six-patterns": "the first of six patterns that matches, in any case: '(a) moving car, so C' names A",
            "last-character": "else the last character of the reply decides: 'a TABLE' names E, 'B - moves' nothing",
            "empty-reply": "the released code stops at an empty reply; here it is wrong",
            "time-outs": "the released code leaves rows without a reply out of its means; here they count as wrong",
        },
    ),
    _CARD.protocol(
        "vlmevalkit", "VLMEvalKit by rules without a judge", lambda reply, row: option_letter(reply), _MEANS
    ),
    _CARD.strict(_MEANS),
)  # fmt: skip
