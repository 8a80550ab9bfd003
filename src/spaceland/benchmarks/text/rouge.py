"""ROUGE-L as the caption toolkit has it: longest common subsequence of words, precision and recall weighed 1 : 1.44.

Two habits of the toolkit decide digits. The best precision and the best recall are taken over the references
separately, so they may come from different ones. And words are cut at *single* spaces, so two spaces in a row make an
empty word, which counts:

>>> round(rouge_l(["sos a chair eos"], "sos eos"), 6), round(rouge_l(["sos a chair eos"], "sos  eos"), 6)
(0.62894, 0.535088)
"""

from __future__ import annotations

from collections.abc import Sequence

_BETA2 = 1.2**2


def rouge_l(references: Sequence[str], candidate: str) -> float:
    """F-measure of one candidate, 0 to 1."""
    words = candidate.split(" ")
    precision = recall = 0.0
    for reference in references:
        others = reference.split(" ")
        common = common_length(others, words)
        precision = max(precision, common / len(words))
        recall = max(recall, common / len(others))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + _BETA2) * precision * recall / (recall + _BETA2 * precision)


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    One bit per word of `first`; a zero bit marks where the subsequence grows (Crochemore et al. 2001), so each word of
    `second` costs one addition of long integers.
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(first)) - 1
    bits = full
    for word in second:
        here = bits & places.get(word, 0)
        if here:
            bits = ((bits + here) | (bits - here)) & full
    return len(first) - bits.bit_count()
