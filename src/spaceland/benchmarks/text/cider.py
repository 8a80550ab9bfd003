"""CIDEr-D: how much a sentence shares with its references, where rare word runs count more.

    weight of an n-gram = its count * (ln N - ln max(1, number of items whose references hold it))
    similarity to a reference = sum of min(candidate, reference) * reference / (|candidate| |reference|)
                                * exp(-(difference of lengths)^2 / 72)
    score = 10 * mean over n = 1..4, mean over references

N is the number of items that are *evaluated*: a subset, or leaving out what a model did not answer, changes the score
of every sentence. The length is the number of word pairs, so a one-word answer has length 0 like an empty one. A
sentence of fewer than four words has no 4-grams and cannot reach 10: a perfect one-word answer scores 2.5.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.text.bleu import ngrams

_MAX_N = 4
_TWO_SIGMA2 = 2 * 6.0**2
_Gram = tuple[str, ...]


def cider(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> Float[np.ndarray, "n"]:
    """Score of each candidate, 0 to 10; that of the corpus is their mean."""
    counted = [[_counts(text) for text in texts] for texts in references]
    frequency: Counter[_Gram] = Counter()
    for item in counted:
        frequency.update({gram for counts in item for by_n in counts for gram in by_n})
    log_items = math.log(len(candidates)) if candidates else 0.0
    idf = {gram: log_items - math.log(count) for gram, count in frequency.items()}
    scores = np.zeros(len(candidates))
    for row, (item, candidate) in enumerate(zip(counted, candidates, strict=True)):
        mine = _counts(candidate)
        weights, norms = _weigh(mine, idf, log_items)
        total = 0.0
        for counts in item:
            others, other_norms = _weigh(counts, idf, log_items)
            penalty = math.exp(-((mine[1].total() - counts[1].total()) ** 2) / _TWO_SIGMA2)
            for n in range(_MAX_N):
                if norms[n] == 0 or other_norms[n] == 0:
                    continue
                shared = sum(min(weight, others[n].get(gram, 0.0)) * others[n].get(gram, 0.0)
                             for gram, weight in weights[n].items())  # fmt: skip
                total += penalty * shared / (norms[n] * other_norms[n])
        scores[row] = 10 * total / _MAX_N / len(item)
    return scores


def _counts(text: str) -> list[Counter[_Gram]]:
    """n-grams of a sentence by n - 1."""
    words = text.split()
    return [ngrams(words, n) for n in range(1, _MAX_N + 1)]


def _weigh(
    counts: Sequence[Counter[_Gram]], idf: dict[_Gram, float], unseen: float
) -> tuple[list[dict[_Gram, float]], list[float]]:
    """tf-idf weights and their norms, by n - 1."""
    weights = [{gram: count * idf.get(gram, unseen) for gram, count in by_n.items()} for by_n in counts]
    return weights, [math.sqrt(sum(weight * weight for weight in by_n.values())) for by_n in weights]
