"""All caption metrics of a corpus, kept so that the figure of any part of it is one sum.

table = caption_table([["the brown chair"], ["two"]], ["a brown chair", "two"])
table.corpus()["BLEU-1"]          # of all sentences
table.corpus([0])["BLEU-1"]       # of the first one alone, with the word weights (CIDEr) of all
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from spaceland.benchmarks.text import java
from spaceland.benchmarks.text.bleu import bleu, bleu_statistics
from spaceland.benchmarks.text.cider import cider
from spaceland.benchmarks.text.rouge import rouge_l
from spaceland.benchmarks.types import RowScore

METRICS = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "METEOR", "ROUGE-L", "CIDEr", "SPICE")


@dataclass(frozen=True, eq=False)
class CaptionTable:
    """Per sentence: statistics of BLEU and METEOR, values of the others; None where Java was needed and not there."""

    bleu: Float[np.ndarray, "n 10"]
    rouge: Float[np.ndarray, "n"]
    cider: Float[np.ndarray, "n"]
    meteor: Float[np.ndarray, "n 23"] | None = None
    spice: Float[np.ndarray, "n"] | None = None

    def corpus(self, index: Sequence[int] | np.ndarray | None = None) -> dict[str, float | None]:
        """Metrics by name of all or some sentences: 0 to 1, CIDEr 0 to 10; None where there is nothing to say."""
        part = slice(None) if index is None else np.asarray(index, dtype=int)
        if len(self.rouge[part]) == 0:
            return dict.fromkeys(METRICS)
        blue = [float(value) for value in bleu(self.bleu[part].sum(0))]
        return _named(
            blue,
            None if self.meteor is None else float(java.meteor(self.meteor[part].sum(0))),
            float(self.rouge[part].mean()),
            float(self.cider[part].mean()),
            None if self.spice is None else float(self.spice[part].mean()),
        )

    def rows(self) -> list[dict[str, float | None]]:
        """Metrics of every sentence on its own."""
        blue = bleu(self.bleu).tolist()
        num = len(blue)
        meteor = [None] * num if self.meteor is None else java.meteor(self.meteor).tolist()
        spice = [None] * num if self.spice is None else self.spice.tolist()
        columns = zip(blue, meteor, self.rouge.tolist(), self.cider.tolist(), spice, strict=True)
        return [_named(*values) for values in columns]


@dataclass(frozen=True)
class CaptionScore(RowScore):
    """A row's score that remembers its line in one or more tables; `line` is None where a row is in no corpus."""

    tables: Mapping[str, CaptionTable] = field(default_factory=dict, repr=False, compare=False)
    line: int | None = None


def caption_table(
    references: Sequence[Sequence[str]], candidates: Sequence[str], *, use_java: bool = True
) -> CaptionTable:
    """Metrics of candidates against one or more references each. The texts are taken as they are: cut words before."""
    return CaptionTable(
        bleu_statistics(references, candidates),
        np.array([rouge_l(texts, candidate) for texts, candidate in zip(references, candidates, strict=True)]),
        cider(references, candidates),
        java.meteor_statistics(references, candidates) if use_java else None,
        java.spice(references, candidates) if use_java else None,
    )


def corpus_figures(scores: Sequence[RowScore], suffix: str = "") -> dict[str, float | None]:
    """Figures x 100 of the corpora that scores remember, by metric and table name ("CIDEr", "CIDEr@0.5").

    CIDEr is x 100 as well, as papers print it, so its greatest value is 1000.
    """
    found: dict[str, float | None] = {}
    lines = [score for score in scores if isinstance(score, CaptionScore) and score.line is not None]
    for name in lines[0].tables if lines else ():
        table = lines[0].tables[name]
        if any(score.tables[name] is not table for score in lines):
            raise ValueError("scores of different runs cannot be summarised together")
        for metric, value in table.corpus([score.line or 0 for score in lines]).items():
            found[f"{metric}{name}{suffix}"] = None if value is None else 100 * value
    return found


def _named(
    blue: Sequence[float], meteor: float | None, rouge: float, cider_score: float, spice: float | None
) -> dict[str, float | None]:
    return dict(zip(METRICS, (*blue, meteor, rouge, cider_score, spice), strict=True))
