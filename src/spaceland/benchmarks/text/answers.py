"""Short answers against reference answers: what counts as a match, and scores of a whole set.

A rule says how reply and references are prepared, when they match, and what the caption metrics see. "Refined" exact
match accepts an answer that holds, or is held by, a reference when spaces are taken out, so "able" matches "table". The
codes in use differ in two corners: what an empty reply is worth, and whether a later reference can still be an exact
match after an earlier one was found inside the reply.

>>> match_all("chair", ["a chair", "chair"]), match_first("chair", ["a chair", "chair"])
((1.0, 1.0), (0.0, 1.0))
>>> match_all("", ["chair"]), match_unless_empty("", ["chair"])
((0.0, 1.0), (0.0, 0.0))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spaceland.benchmarks.clean import strict_words
from spaceland.benchmarks.text.corpus import CaptionScore, caption_table, corpus_figures
from spaceland.benchmarks.text.ptb import tokenize
from spaceland.benchmarks.types import Reply, Row, RowScore, Summary

Match = Callable[[str, Sequence[str]], tuple[float, float | None]]
"""(prepared reply, prepared references) -> exact match and refined exact match (None where a protocol has none)."""
MOST_RANKED = 10
SHORT_ANSWER = "Answer the question using a single word or phrase."
_TABLE = ""


def unchanged(text: str) -> str:
    return text


def one_line(text: str) -> str:
    """Line ends become spaces, as the codes do before the tokeniser."""
    return text.replace("\n", " ")


@dataclass(frozen=True)
class AnswerRule:
    """How one code scores answers.

    `reply` and `reference` prepare the texts for `match`; `caption_reply` and `caption_reference` those of the caption
    metrics, which come after the PTB tokeniser if `ptb`, and not at all if `captions` is False. `more` adds metrics of
    a row by name from the raw reply and the raw references.
    """

    match: Match
    reply: Callable[[str], str] = unchanged
    reference: Callable[[str], str] = unchanged
    captions: bool = True
    ptb: bool = True
    caption_reply: Callable[[str], str] | None = None
    caption_reference: Callable[[str], str] | None = None
    more: Mapping[str, Callable[[str, Sequence[str]], float]] | None = None

    def score(self, references: Sequence[Sequence[str]], replies: Sequence[Reply]) -> list[RowScore]:
        """A score for every row. A missing reply scores 0 everywhere and is an empty caption in the corpus."""
        found: list[RowScore] = []
        table = None
        if self.captions and replies:
            table = caption_table(
                [[self._caption(text, False) for text in texts] for texts in references],
                ["" if reply is None else self._caption(reply, True) for reply in replies],
            )
        rows = table.rows() if table else [{}] * len(replies)
        for line, (texts, reply) in enumerate(zip(references, replies, strict=True)):
            exact, refined = self._matches(texts, reply)
            metrics: dict[str, float | None] = {"EM": exact}
            if refined is not None:
                metrics["EM refined"] = refined
            for name, rule in (self.more or {}).items():
                metrics[name] = 0.0 if reply is None else rule(reply, texts)
            tables = {_TABLE: table} if table else {}
            found.append(CaptionScore(exact, metrics | rows[line], tables, line if table else None))
        return found

    def _matches(self, texts: Sequence[str], reply: Reply) -> tuple[float, float | None]:
        if reply is None:
            return 0.0, None if self.match("", [""])[1] is None else 0.0
        return self.match(self.reply(reply), [self.reference(text) for text in texts])

    def _caption(self, text: str, is_reply: bool) -> str:
        special = self.caption_reply if is_reply else self.caption_reference
        usual = self.reply if is_reply else self.reference
        prepared = (special or usual)(text)
        return tokenize(prepared) if self.ptb else prepared


def answers_of(row: Row) -> list[str]:
    """Reference answers as texts, from a list of texts (ScanQA) or of objects with "answer" (SQA3D)."""
    return [str(answer["answer"]) if isinstance(answer, Mapping) else str(answer) for answer in row["answers"]]


def ranked_answers(reply: str) -> list[str] | None:
    """Answers of a reply that as a whole is a JSON list of texts, the best first, at most ten; None for any other.

    >>> ranked_answers('["brown", "black"]'), ranked_answers("brown"), ranked_answers("[1]")
    (['brown', 'black'], None, None)
    """
    if not (text := reply.strip()).startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found[:MOST_RANKED] if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def best_answer(reply: Reply) -> Reply:
    """The first of ranked answers (nothing of an empty list), any other reply as it is."""
    ranked = None if reply is None else ranked_answers(reply)
    return reply if ranked is None else next(iter(ranked), "")


def with_exact_match_at_ten(
    scores: Sequence[RowScore], references: Sequence[Sequence[str]], replies: Sequence[Reply]
) -> list[RowScore]:
    """Scores with "EM@10": 1 where one of ten ranked answers is a reference, character by character.

    None for all rows where no reply is ranked. Beside ranked ones a plain reply is a list of one, a missing one wrong.
    """
    lists = [[] if reply is None else ranked_answers(reply) for reply in replies]
    any_ranked = any(ranked is not None for reply, ranked in zip(replies, lists, strict=True) if reply is not None)
    found = []
    for score, texts, reply, ranked in zip(scores, references, replies, lists, strict=True):
        said = [str(reply)] if ranked is None else ranked
        at_ten = float(any(one in texts for one in said)) if any_ranked else None
        metrics = {"EM": score.metrics["EM"], "EM@10": at_ten, **score.metrics}
        found.append(replace(score, metrics=metrics))
    return found


def answers_problem(row: Row) -> str | None:
    """What is wrong with a row of ScanQA or SQA3D, in words."""
    lacking = [key for key in ("question_id", "question", "answers") if key not in row]
    if lacking:
        return f"has no {' and no '.join(lacking)}"
    answers = row["answers"]
    given = answers if isinstance(answers, list | tuple) else []
    texts = [answer.get("answer") if isinstance(answer, Mapping) else answer for answer in given]
    if not texts or not all(isinstance(text, str) for text in texts):
        return "needs 'answers', a list of one or more texts or objects with 'answer'"
    return None


def summarise_answers(
    rows: Sequence[Row], scores: Sequence[RowScore], task_of: Callable[[Row], str], tasks: Sequence[str] = ()
) -> Summary:
    """Percentages: overall is exact match over all rows, tasks exact match by kind of row, groups all metrics.

    A metric that no row has is None.
    """
    if not scores:
        return Summary(None)
    by_task: dict[str, list[float]] = {task: [] for task in tasks}
    for row, score in zip(rows, scores, strict=True):
        by_task.setdefault(task_of(row), []).append(score.score)
    captions = set(corpus := corpus_figures(scores))
    groups: dict[str, float | None] = {}
    for name in scores[0].metrics:
        if name not in captions:
            known = any(score.metrics[name] is not None for score in scores)
            groups[name] = mean_metric(scores, name) if known else None
    return Summary(
        groups["EM"],
        {task: 100 * float(np.mean(values)) for task, values in by_task.items() if values},
        groups | corpus,
    )


def mean_metric(scores: Sequence[RowScore], name: str) -> float:
    """Percentage of a metric over rows."""
    return 100 * float(np.mean([score.metrics[name] or 0.0 for score in scores]))


def released_fields(row: Row) -> Row:
    """Evaluation rows as Chat-Scene and GPT4Scene prepare them (`prompt`, `ref_captions`), in released field names."""
    if "answers" in row or "ref_captions" not in row:
        return row
    question = str(row.get("prompt", "")).removesuffix(SHORT_ANSWER).rstrip()
    renamed = {"question_id": row.get("id", row.get("qid")), "question": question, "answers": row["ref_captions"]}
    return {**row, **renamed}


def match_exact(reply: str, references: Sequence[str]) -> tuple[float, None]:
    """The reply is one of the references, character by character."""
    return float(reply in references), None


def match_all(reply: str, references: Sequence[str]) -> tuple[float, float]:
    """All references are tried for an exact match first (LLaVA-3D); an empty reply is "held by" any reference."""
    if reply in references:
        return 1.0, 1.0
    return 0.0, float(_held(reply, references))


def match_unless_empty(reply: str, references: Sequence[str]) -> tuple[float, float]:
    """`match_all`, and nothing for an empty reply (Chat-Scene, GPT4Scene)."""
    return match_all(reply, references) if reply else (0.0, 0.0)


def match_first(reply: str, references: Sequence[str]) -> tuple[float, float]:
    """References one after the other, and the first that fits in any way decides (LEO): exact matches are lost."""
    for reference in references:
        if reply == reference:
            return 1.0, 1.0
        if _held(reply, [reference]):
            return 0.0, 1.0
    return 0.0, 0.0


def match_words(reply: str, references: Sequence[str]) -> tuple[float, float]:
    """Exact match of words that count; refined where the words of one stand in the other, whole and in a row."""
    mine, others = strict_words(reply), [strict_words(reference) for reference in references]
    if not mine:
        return 0.0, 0.0
    if mine in others:
        return 1.0, 1.0
    spaced = f" {' '.join(mine)} "
    inside = (f" {' '.join(words)} " for words in others if words)
    return 0.0, float(any(words in spaced or spaced in words for words in inside))


def _held(reply: str, references: Sequence[str]) -> bool:
    mine = "".join(reply.split())
    return any(mine in (other := "".join(text.split())) or other in mine for text in references)
