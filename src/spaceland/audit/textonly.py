"""How far one gets without looking: a baseline that reads questions and sees no image.

A naive Bayes classifier over words and word pairs of the question, trained on the other scenes (cross-validation by
room, so nothing is remembered about the room that is asked about). What it predicts depends on the kind of answer:

    letter       each option by its own words, its rank among numbers, its place, and words of the question with it
    Yes or No    two classes
    number       ten classes of equal size; the number with the best expected score over them
    other texts  the most common answers as classes
    box, motion  the answer that scores best over the other scenes; their questions say nothing about them

It is no more than a few hundred counted words, so what it finds is easy to find: a model in training finds it as well.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix

from spaceland.benchmarks import baseline_predictions
from spaceland.benchmarks.numbers import THRESHOLDS
from spaceland.benchmarks.sparbench import answer_kind

_FEATURES = 1 << 18
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_NUM_BINS = 10
_NUM_CLASSES = 30
_SMOOTHING = 0.5
_STOP = frozenset((
    "a", "an", "and", "answer", "are", "as", "at", "bounding", "box", "by", "do", "for", "from", "give", "how", "i",
    "image", "in", "into", "is", "it", "its", "letter", "of", "on", "one", "only", "option", "options", "or", "point",
    "reply", "right", "so", "that", "the", "this", "to", "was", "what", "where", "which", "with", "you", "your",
))  # fmt: skip
"""Words of a question that are not paired with its options."""


def text_only_predictions(
    rows: Sequence[Mapping[str, Any]], rooms: Mapping[str, str], folds: int = 5
) -> dict[str, str]:
    """Predictions for rows of one task and format, by id; empty when all of them show one room.

    Args:
        rows: Rows of one task and format.
        rooms: The room of each scene; scenes that are not named are rooms of their own.
        folds: Parts for cross-validation.
    """
    kind = answer_kind(rows[0]) if rows else None
    part = _folds([rooms.get(str(row["scene"]), str(row["scene"])) for row in rows], folds)
    if kind is None or part.max(initial=0) == 0:
        return {}
    if kind == "choice":
        predicted = _predict_letters(rows, part)
    elif kind == "number":
        predicted = _predict_numbers(rows, part)
    elif kind == "exact":
        predicted = _predict_classes(rows, part)
    else:
        predicted = _predict_common(rows, part)
    return {str(row["id"]): answer for row, answer in zip(rows, predicted, strict=True)}


def _folds(rooms: Sequence[str], folds: int) -> Int[np.ndarray, "k"]:
    """The part of each row; parts have about equally many rooms."""
    ordered = sorted(set(rooms), key=lambda room: (zlib.crc32(room.encode(errors="replace")), room))
    place = {room: k % min(folds, len(ordered)) for k, room in enumerate(ordered)}
    return np.array([place[room] for room in rooms], dtype=np.int64)


def words_of(row: Mapping[str, Any]) -> list[str]:
    """Words of a question without its options."""
    text = str(row["question"])
    if row.get("options"):
        text = text.split("\nA. ", 1)[0]
    return _WORD.findall(text.lower())


def _question_features(row: Mapping[str, Any]) -> list[str]:
    words = words_of(row)
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def _option_features(row: Mapping[str, Any]) -> list[list[str]]:
    """Features of every option: its words, its place and rank, and each with the telling words of the question."""
    options = [str(option).lower() for option in row["options"]]
    numbers = [_as_number(option) for option in options]
    known = [value for value in numbers if value is not None]
    told = sorted(set(words_of(row)) - _STOP)
    features = []
    for place, option in enumerate(options):
        own = _WORD.findall(option)
        mine = [f"is {option}", f"place {place}", *own]
        value = numbers[place]
        if value is not None and len(known) == len(options):
            mine = [f"place {place}", f"rank {sum(other < value for other in known)}", f"size {_size(value)}"]
            mine += [f"{word} size {_size(value)}" for word in told]
        else:
            mine += [f"{word} & {token}" for word in told for token in own]
            shared = Counter(token for other in options for token in set(_WORD.findall(other)))
            mine.append(f"shared {round(2 * sum(shared[token] for token in own) / max(len(own), 1))}")
        features.append(mine)
    return features


def _as_number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text.strip()) else None


def _size(value: float) -> int:
    """Logarithmic class of a number: steps of 25 %."""
    return round(float(np.log(max(abs(value), 0.01))) / 0.22)


def _matrix(features: Sequence[Sequence[str]]) -> csr_matrix:
    """Counts of hashed features; each feature counts once for a text."""
    columns, starts = [], [0]
    for entry in features:
        columns.extend(sorted({zlib.crc32(name.encode(errors="replace")) % _FEATURES for name in entry}))
        starts.append(len(columns))
    return csr_matrix(
        (np.ones(len(columns)), np.array(columns, dtype=np.int64), np.array(starts)), (len(features), _FEATURES)
    )


def _log_posterior(
    counts: csr_matrix, classes: Int[np.ndarray, "n"], num_classes: int, train: np.ndarray, test: np.ndarray
) -> Float[np.ndarray, "m c"]:
    """Log posterior (up to a constant) of the classes for the test rows."""
    chosen = csr_matrix(
        (np.ones(int(train.sum())), (classes[train], np.arange(int(train.sum())))),
        (num_classes, int(train.sum())),
    )
    # Only features of the test rows matter; a dense table of them is small.
    here = np.unique(counts[test].indices)
    seen = np.asarray((chosen @ counts[train][:, here]).todense())
    # What no class has seen says nothing; with smoothing it would speak for the rarest class.
    here, seen = here[seen.any(0)], seen[:, seen.any(0)]
    size = np.bincount(classes[train], minlength=num_classes).astype(float)
    likelihood = np.log((seen + _SMOOTHING) / (size[:, None] + 2 * _SMOOTHING))
    prior = np.log((size + _SMOOTHING) / (size.sum() + _SMOOTHING * num_classes))
    return np.asarray(counts[test][:, here] @ likelihood.T) + prior


def _predict_letters(rows: Sequence[Mapping[str, Any]], part: np.ndarray) -> list[str]:
    """The option that looks most like a right one: four texts for each row, of which one is right."""
    usable = all(isinstance(row.get("options"), list) and len(row["options"]) == 4 for row in rows)
    if not usable:
        return _predict_classes(rows, part)
    counts = _matrix([entry for row in rows for entry in _option_features(row)])
    right = np.array([int(str(row["answer"]) == letter) for row in rows for letter in "ABCD"])
    parts = np.repeat(part, 4)
    scores = np.zeros(len(right))
    for fold in range(int(part.max()) + 1):
        test = parts == fold
        posterior = _log_posterior(counts, right, 2, ~test, test)
        scores[test] = posterior[:, 1] - posterior[:, 0]
    return ["ABCD"[k] for k in scores.reshape(-1, 4).argmax(1)]


def _predict_classes(rows: Sequence[Mapping[str, Any]], part: np.ndarray) -> list[str]:
    """One of the most common answers."""
    answers = [str(row["answer"]) for row in rows]
    common = [answer for answer, _ in sorted(Counter(answers).items(), key=lambda item: (-item[1], item[0]))]
    names = common[:_NUM_CLASSES]
    number = {name: k for k, name in enumerate(names)}
    classes = np.array([number.get(answer, len(names)) for answer in answers])
    counts = _matrix([_question_features(row) for row in rows])
    predicted = np.zeros(len(rows), dtype=np.int64)
    for fold in range(int(part.max()) + 1):
        test = part == fold
        train = ~test & (classes < len(names))
        if train.any():
            predicted[test] = _log_posterior(counts, classes, len(names), train, test).argmax(1)
    return [names[k] for k in predicted]


def _predict_numbers(rows: Sequence[Mapping[str, Any]], part: np.ndarray) -> list[str]:
    """The number with the best expected mean relative accuracy."""
    texts = [str(row["answer"]) for row in rows]
    values = np.array([float(text) for text in texts])
    counts = _matrix([_question_features(row) for row in rows])
    predicted = np.zeros(len(rows))
    for fold in range(int(part.max()) + 1):
        test = part == fold
        known = values[~test]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, _NUM_BINS + 1)[1:-1]))
        classes = np.searchsorted(edges, values, side="right")
        posterior = _log_posterior(counts, classes, len(edges) + 1, ~test, test)
        weights = np.exp(posterior - posterior.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        candidates = np.unique(np.quantile(known, np.linspace(0.01, 0.99, 60)))
        table = np.zeros((len(edges) + 1, len(candidates)))
        for k in range(len(edges) + 1):
            members = known[classes[~test] == k]
            if len(members):
                table[k] = _accuracy(candidates, members)
        predicted[test] = candidates[(weights @ table).argmax(1)]
    return [f"{value:.4g}" if value >= 0.001 else "0" for value in predicted]


def _accuracy(candidates: Float[np.ndarray, "c"], truths: Float[np.ndarray, "t"]) -> Float[np.ndarray, "c"]:
    """Mean relative accuracy of every candidate over the truths."""
    error = np.abs(candidates[:, None] - truths) / np.where(truths == 0, 1.0, np.abs(truths))
    return np.mean([(error <= allowed).mean(1) for allowed in 1 - THRESHOLDS], axis=0)


def _predict_common(rows: Sequence[Mapping[str, Any]], part: np.ndarray) -> list[str]:
    """What scores best over the rows of the other parts."""
    predicted = [""] * len(rows)
    for fold in range(int(part.max()) + 1):
        train = {str(row["id"]): row for row, p in zip(rows, part, strict=True) if p != fold}
        best = next(iter(baseline_predictions("sparbench", "frequency", list(train.values())).values()), "")
        predicted = [best if p == fold else answer for answer, p in zip(predicted, part, strict=True)]
    return predicted
