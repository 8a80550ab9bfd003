"""Logs of other harnesses as predictions: lmms-eval's samples, VLMEvalKit's tables, plain JSONL.

lmms-eval      one object a line: doc_id, target, filtered_resps (or resps), in some versions doc, the row itself; the
               tasks of `spaceland.lmmseval` name the row too; blanks at both ends of a reply do not count there
VLMEvalKit     a table (xlsx, tsv, json) of the rows with a column prediction, told apart by index
plain          objects with id and prediction (or response, answer_pred, output)

A log may name its rows by their place in the data set. Given the rows, such a log is only taken when the answers it
states are those of the rows at these places: a log of another order or split is refused, not scored wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaceland.benchmarks.known import KNOWN, ScoreError
from spaceland.benchmarks.released.tables import read_any_table
from spaceland.benchmarks.types import Benchmark, Row
from spaceland.errors import SceneError
from spaceland.evaluation.gallery import expected_answer

_REPLIES = ("prediction", "response", "model_output", "output", "answer_pred", "pred")
_SAME_SHARE = 0.98
"""Share of stated answers that must be those of the rows; a few differ in how they are written down."""


@dataclass(frozen=True)
class Log:
    """What a log says: replies by row id, and the rows, given or from the log itself."""

    kind: str
    rows: list[Row]
    replies: dict[str, str]
    num_without_reply: int


def guess_benchmark(path: Path) -> str | None:
    """The benchmark that a file's name speaks of; the longest name wins.

    >>> guess_benchmark(Path("20260801_samples_vsibench.jsonl")), guess_benchmark(Path("Qwen_VSI-Bench_32frame.xlsx"))
    ('vsibench', 'vsibench')
    """
    text = re.sub(r"[^a-z0-9]", "", path.name.lower())
    found = [name for name in KNOWN if re.sub(r"[^a-z0-9]", "", name) in text]
    return max(found, key=len) if found else None


def read_log(path: Path, benchmark: Benchmark, rows: Sequence[Row] | None = None) -> Log:
    """Read a log.

    Args:
        path: The file.
        benchmark: Whose rows it is about.
        rows: The rows; without them they are taken from the log, where it holds them.

    Raises:
        SceneError: missing or broken.
        ScoreError: no log of a known kind, no rows, or replies that do not fit the rows.
    """
    table = read_any_table(path)
    if not table:
        raise ScoreError(f"{path} is empty")
    first = table[0]
    if "doc_id" in first and ("filtered_resps" in first or "resps" in first):
        return _lmms_eval(path, table, benchmark, rows)
    if "prompt_sha256" in first:
        # Predictions of a run of ours: where a row was asked again, its last line counts.
        table = list({str(line.get("id")): line for line in table}.values())
    reply = next((key for key in _REPLIES if any(key in line for line in table)), None)
    if reply is None:
        raise ScoreError(
            f"{path} is no log that is known here: it needs filtered_resps (lmms-eval), or a column "
            f"{', '.join(_REPLIES)}; found {', '.join(map(str, list(first)[:12]))}"
        )
    return _table(path, table, reply, benchmark, rows)


def _lmms_eval(path: Path, table: Sequence[Mapping[str, Any]], benchmark: Benchmark, rows: Sequence[Row] | None) -> Log:
    lines = {}
    for number, line in enumerate(table, 1):
        if not isinstance(line.get("doc_id"), int):
            raise SceneError(f"{path}, line {number}: doc_id should be a number, found {line.get('doc_id')!r:.40}")
        if line["doc_id"] in lines:
            raise ScoreError(f"{path}: two samples with the doc_id {line['doc_id']}; is this several logs in one file?")
        lines[line["doc_id"]] = line
    if rows is not None:
        named = [_row_id_in(line) for line in lines.values()]
        if None not in named:
            found = {str(name): _first_text(line) for name, line in zip(named, lines.values(), strict=True)}
            _check_doubles(path, [str(name) for name in named])
            unknown = sorted(found.keys() - set(_ids(benchmark, rows, path)))
            if unknown:
                raise ScoreError(f"{path} has a reply for '{unknown[0]}', which is not among the rows; are these its?")
            return _log("lmms-eval", list(rows), found)
        _check_places(path, benchmark, rows, {k: line.get("target") for k, line in lines.items()}, "doc_id")
        chosen = list(rows)
    else:
        if not all(isinstance(line.get("doc"), Mapping) for line in lines.values()):
            raise ScoreError(f"{path} does not hold the rows (no 'doc'); give them with --rows")
        chosen = [line["doc"] for line in lines.values()]
        lines = dict(enumerate(lines.values()))
    ids = _ids(benchmark, chosen, path)
    return _log("lmms-eval", chosen, {ids[place]: _first_text(line) for place, line in lines.items()})


def _row_id_in(line: Mapping[str, Any]) -> str | None:
    """The row that a line is about, where a task of `spaceland.lmmseval` wrote it."""
    overall = line.get("overall")
    return str(overall["id"]) if isinstance(overall, Mapping) and "id" in overall else None


def _first_text(line: Mapping[str, Any]) -> str | None:
    """The reply of a line. lmms-eval nests replies in lists, one for every request and repeat, logs them as they came,
    and scores them without the blanks at both ends."""
    value = line.get("filtered_resps", line.get("resps"))
    while isinstance(value, list | tuple):
        if not value:
            return None
        value = value[0]
    if value is None:
        return None
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(
    path: Path, table: Sequence[Mapping[str, Any]], reply: str, benchmark: Benchmark, rows: Sequence[Row] | None
) -> Log:
    kind = "VLMEvalKit" if "index" in table[0] else "plain"
    if rows is None:
        chosen = [_row_of(line, reply) for line in table]
        ids = _ids(benchmark, chosen, path)
        return _log(kind, chosen, {ids[k]: _text(line.get(reply)) for k, line in enumerate(table)})
    ids = _ids(benchmark, rows, path)
    known = set(ids)
    for key in ("id", "question_id", "index"):
        named = [str(line.get(key)) for line in table]
        if all(key in line for line in table) and set(named) <= known:
            _check_doubles(path, named)
            return _log(
                kind, list(rows), {name: _text(line.get(reply)) for name, line in zip(named, table, strict=True)}
            )
    if all(str(line.get("index", "")).isdigit() for line in table):
        places = [int(line["index"]) for line in table]
        _check_doubles(path, [str(place) for place in places])
        stated = {p: line.get("answer", line.get("ground_truth")) for p, line in zip(places, table, strict=True)}
        _check_places(path, benchmark, rows, stated, "index")
        return _log(kind, list(rows), {ids[p]: _text(line.get(reply)) for p, line in zip(places, table, strict=True)})
    unknown = next(
        (str(line["id"]) for line in table if "id" in line and str(line["id"]) not in known), "lines without an id"
    )
    raise ScoreError(f"{path}: replies cannot be matched with the rows ({unknown}); are these the rows of the log?")


def _row_of(line: Mapping[str, Any], reply: str) -> Row:
    """A line of a log that holds its row, under the names that a benchmark releases."""
    row = {key: value for key, value in line.items() if key != reply}
    if "id" not in row and "index" in row:
        row["id"] = row["index"]
    if "answer" in row:
        row.setdefault("ground_truth", row["answer"])
    return row


def _ids(benchmark: Benchmark, rows: Sequence[Row], path: Path) -> list[str]:
    """Ids of rows in their order."""
    from spaceland.benchmarks.score import prepare_rows

    try:
        return list(prepare_rows(benchmark, rows))
    except ScoreError as error:
        raise ScoreError(f"{path}: {error}; if the log does not hold whole rows, give them with --rows") from None


def _check_places(path: Path, benchmark: Benchmark, rows: Sequence[Row], stated: Mapping[int, Any], name: str) -> None:
    """Refuse a log whose places are not those of the rows."""
    outside = [place for place in stated if not 0 <= place < len(rows)]
    if outside:
        raise ScoreError(f"{path} has the {name} {outside[0]}, but there are {len(rows)} rows")
    known = [place for place, answer in stated.items() if answer is not None]
    same = sum(_plain(stated[place]) == _plain(_expected(benchmark, rows[place])) for place in known)
    if not known:
        raise ScoreError(
            f"{path} names rows by their place and states no answers, so nothing shows that these are its rows; "
            "give a log with targets, or one with ids"
        )
    if same < _SAME_SHARE * len(known):
        raise ScoreError(
            f"{path}: {len(known) - same} of {len(known)} answers that the log states are not those of the rows at the "
            "same places; give the rows in the order and split of the log"
        )


def _expected(benchmark: Benchmark, row: Row) -> str:
    return expected_answer(benchmark, benchmark.adapt(row) if benchmark.adapt else row)


def _plain(answer: Any) -> str:
    if isinstance(answer, list | tuple) and answer:
        answer = "; ".join(map(str, answer))
    text = str(answer).strip().lower()
    try:
        return repr(float(text))
    except ValueError:
        return text


def _check_doubles(path: Path, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise ScoreError(f"{path}: two replies for '{double}'; keep one")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _log(kind: str, rows: list[Row], said: Mapping[str, str | None]) -> Log:
    replies = {row_id: text for row_id, text in said.items() if text is not None}
    return Log(kind, rows, replies, len(said) - len(replies))
