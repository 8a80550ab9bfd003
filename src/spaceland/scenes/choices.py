"""Options of a source that take one of a few words."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.errors import SourceError


def choice_option(options: dict[str, str], name: str, choices: Sequence[str], kind: str) -> str:
    """An option that must be one of `choices`; the first one when it is not given.

    Raises:
        SourceError: it is none of them.

    >>> choice_option({"unit": "house"}, "unit", ("region", "house"), "matterport3d")
    'house'
    """
    value = options.get(name, choices[0])
    if value not in choices:
        raise SourceError(f"{kind}: option {name}={value} is none of {', '.join(choices)}")
    return value
