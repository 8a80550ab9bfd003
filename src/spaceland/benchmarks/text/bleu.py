"""BLEU-1 to 4 as the caption toolkit counts it: over the corpus, against the reference of the closest length.

Ten numbers of a sentence are enough; those of a corpus are their sums, and the same formula serves both:

    length, length of the closest reference, n-grams guessed (n = 1..4), n-grams correct (n = 1..4)

    BLEU-n = (product over k <= n of (correct_k + 1e-15) / (guessed_k + 1e-9)) ^ (1/n), times exp(1 - 1/ratio) if the
    ratio of the lengths is below 1

A mean of sentence scores is another number. Of two references that are equally close the shorter one counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

_TINY, _SMALL = 1e-15, 1e-9
NUM_STATISTICS = 10


def bleu_statistics(references: Sequence[Sequence[str]], candidates: Sequence[str]) -> Float[np.ndarray, "n 10"]:
    """Statistics of each sentence; words are what white space separates."""
    found = np.zeros((len(candidates), NUM_STATISTICS))
    for row, (texts, candidate) in enumerate(zip(references, candidates, strict=True)):
        words = candidate.split()
        others = [text.split() for text in texts]
        length = len(words)
        found[row, 0] = length
        found[row, 1] = min((abs(len(other) - length), len(other)) for other in others)[1]
        for n in range(1, min(length, 4) + 1):
            guessed = ngrams(words, n)
            found[row, 1 + n] = length - n + 1
            most: Counter[tuple[str, ...]] = Counter()
            for other in others:
                most |= ngrams(other, n)
            found[row, 5 + n] = sum(min(count, most[gram]) for gram, count in guessed.items() if gram in most)
    return found


def bleu(statistics: Float[np.ndarray, "*rows 10"]) -> Float[np.ndarray, "*rows 4"]:
    """BLEU-1 to 4, 0 to 1, from statistics of sentences or from their sum."""
    guessed, correct = statistics[..., 2:6], statistics[..., 6:10]
    precision = np.cumprod((correct + _TINY) / (guessed + _SMALL), axis=-1)
    score = precision ** (1 / np.arange(1, 5))
    ratio = (statistics[..., 0] + _TINY) / (statistics[..., 1] + _SMALL)
    return score * np.where(ratio < 1, np.exp(1 - 1 / ratio), 1.0)[..., None]


def ngrams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """How often each run of n words occurs."""
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))
