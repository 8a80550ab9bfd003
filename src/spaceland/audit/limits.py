"""What an audit tolerates. Every limit is an option of `spaceland audit`, by the name it has here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Shares from 0 to 1, scores in percent."""

    min_rows: int = 60
    """Shares and scores of a task and format are compared with limits from so many rows on."""
    max_letter_excess: float = 0.05
    """How much more often than evenly the most frequent right letter of a task may come up."""
    max_verdict_excess: float = 0.06
    """The same for Yes and No."""
    max_answer_share: float = 0.40
    """Most frequent answer of a task: a number as written, a word, a text of the right option; at least an even share
    and the excess of letters, where there are few answers."""
    max_frequency_gain: float = 8.0
    """How much the most frequent letter or verdict may score above chance."""
    max_text_gain_select: float = 25.0
    """How much the text-only baseline may score above chance on select questions."""
    max_text_gain_judge: float = 15.0
    """The same for judge questions."""
    max_text_gain_fill: float = 20.0
    """How much the text-only baseline may gain over the most frequent answer on typed answers."""
    max_exact_duplicates: int = 0
    """Rows with the same images, text and answer as another one."""
    max_near_duplicates: int = 0
    """Rows that ask what another one asks, in other words or with their views or objects exchanged."""
    max_label_share: float = 0.40
    """Share of the facts that name the most frequent label."""
    min_label_coverage: float = 0.50
    """Share of the labels in the scenes that at least one question names; excluded labels do not count."""
    max_facts_per_image: int = 1000
    """Facts that one image takes part in."""
