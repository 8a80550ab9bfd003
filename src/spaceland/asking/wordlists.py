"""Lists of words that the readers of answers share."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text, for lists that are written as one.

    >>> sorted(words("and or"))
    ['and', 'or']
    """
    return frozenset(text.split())


JOINING = words("and or nor as well")
"""Between the members of a list."""
