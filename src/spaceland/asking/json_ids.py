"""Ids in replies that are JSON or hold it: `{"ids": [3, 7]}`, `[3, 7]`, `{"objects": [{"id": "<OBJ003>"}]}`."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from spaceland.asking.wordlists import words

FENCE = re.compile(r"```[A-Za-z]*\n?")
_STARTS = 16
_PIECE = 4000
_KEYS = words("id ids object objects object_id object_ids obj obj_id obj_ids mark marks")
_BARE_KEYS = words("number numbers answer result")
_ID = re.compile(r"\s{0,9}<?(?:obj(?:ect)?|mark|id)?[ _#:-]{0,3}([0-9]{1,400})>?\.?\s{0,9}", re.I)


def json_ids(text: str, bare_numbers: bool) -> list[str] | None:
    """Digits of the ids when the reply is JSON or holds a JSON object with ids; None when it does not."""
    body = FENCE.sub("", text).strip()
    keys = _KEYS | _BARE_KEYS if bare_numbers else _KEYS
    if body[:1] in ("{", "["):
        try:
            return _ids_of(json.loads(body), keys)
        except (ValueError, RecursionError):
            pass
    decoder = json.JSONDecoder()
    # Lists inside prose may be coordinates, so only objects are looked for there. Few and short pieces are tried, so
    # that many openings cannot make the time grow faster than the text.
    for start in islice(re.finditer("{", body), _STARTS):
        try:
            value, _ = decoder.raw_decode(body[start.start() : start.start() + _PIECE])
        except (ValueError, RecursionError):
            continue
        ids = _ids_of(value, keys)
        if ids is not None:
            return ids
    return None


def _ids_of(value: Any, keys: frozenset[str]) -> list[str] | None:
    """Ids in a decoded value: a list of ids, or an object with a key such as "ids"; None where it is neither."""
    if isinstance(value, dict):
        named = [entry for key, entry in value.items() if _plain_key(key) in keys]
        if not named:
            return None
        return _ids_of([e for entry in named for e in (entry if isinstance(entry, list) else [entry])], keys)
    if not isinstance(value, list):
        return None
    ids: list[str] = []
    for entry in value:
        if isinstance(entry, int) and not isinstance(entry, bool):
            # -1 is what some models write for "none".
            ids += [str(min(entry, 10**13))] if entry >= 0 else []
        elif isinstance(entry, str) and (match := _ID.fullmatch(entry)):
            ids.append(match[1])
        elif isinstance(entry, dict) and (part := _ids_of(entry, keys)) is not None:
            ids += part
        elif not (entry is None or (isinstance(entry, str) and entry.strip(" .").lower() in ("none", "null", ""))):
            return None
    return ids


def _plain_key(key: str) -> str:
    return key.lower().replace(" ", "_").replace("-", "_")
