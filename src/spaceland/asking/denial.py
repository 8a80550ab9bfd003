"""What an answer says is not so: ids that it turns down, and that there is no such object.

An id is turned down where a denial stands before it with nothing but small words or one noun phrase between ("it is
not object 0", "not the red chair <OBJ003>", "neither #3 nor #7", "rather than #3"), and where it is said not to fit
("object 3 does not match"). A denial reaches no further than its clause: commas before the id, full stops, "but", and
words of place end it, since "not near <OBJ003>" turns down no object. What is denied of an object in other words
("object 3 is not occupied") does not turn it down.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from spaceland.asking.wordlists import JOINING, words

_DENYING = words("not never neither nor cannot unlike no")
_EXCEPTING = words("except excluding")
_EXCEPTING_WITH = {"rather": "than", "other": "than", "instead": "of"}
_NOTHING = words("no none nothing nobody")
# "not only object 3", and "not sure": nothing is denied.
_UNDONE_BY = words("only just merely simply sure certain entirely necessarily")
_SMALL = words(
    "is are was be been it that this these those they one as to of on in at with for than or and even also either "
    "think believe mean choose pick say sit both nor neither"
)
_BEING = words("is are was were be been")
_ARTICLES = words("the a an any my your its their")
_PLACES = words("near next beside behind under above below between left right from far close opposite around like")
_PHRASE_WORDS = 4
_IN_CLAUSE = frozenset(",:&/()[]<>#='\"_{}|~-\u2013\u2014")
_FITTING = (
    "fit|match|qualify|correspond|satisfy|meet|count|belong|fitting|matching|correct|right|suitable|valid|it|this"
)
_SAYS_NO = re.compile(
    r"[>\])'\"]{0,3}\s{1,3}(?:is|are|was|were|does|do|did|can|could|would)(?:n['\u2019]t|\s?not)\s{1,3}"
    rf"(?:(?:{_FITTING})\b|(?:be\s|the\s|a\s|what\s)(?:one|ones|object|answer|right|correct|match|is|it)\b)",
    re.IGNORECASE,
)

_LEAD_IN = (
    r"(?:(?:the|my|final|answer|is|i|we|think|believe|so|well|sorry|unfortunately|it|seems|appears|looks|like|that|in|"
    r"this|these|room|scene|pictures|images|therefore|thus|hence|object|objects|ids?)\s){0,8}"
)
_NOT_MEANT = r"(?!(?:doubt|question|problem|need|idea|way|information|other|others|else|more|longer|matter)\b)"
_THING = (
    r"(?:objects?|such|match|matches|matching|items?|things?|marks?|numbered|visible|one|ids?|suitable|fitting|of|"
    r"corresponding|valid)\b"
)
# "None other than" and "nothing else but" lead to what there is.
_EXCEPT = re.compile(r"\b(?:others?|else|except|besides|nothing but|none but)\b")
_NUMBER_NEXT = r"(?!\s?(?:number\s|id\s|mark\s)?[#<]?\s?(?:obj)?[0-9])"
_NONE = re.compile(
    rf"{_LEAD_IN}(?:(?:none|nothing|null|nil|nobody|nowhere)\b|"
    rf"(?:there(?:\sis|\sare|'s)\s)?no\s{_THING}{_NUMBER_NEXT}|there(?:\sis|\sare|'s)\snone\b)"
)
_ABSENT = re.compile(
    rf"{_LEAD_IN}(?:(?:there(?:\sis|\sare|'s)\s)?(?:no|not\s(?:a|an|any))\s{_NOT_MEANT}(?=[^\W\d_])|"
    rf"there\s(?:isn't|aren't)\s(?:a|an|any)\s{_NOT_MEANT}|not\s(?:found|visible|present|there)\b|n/a\b|"
    r"(?:i|we)\s(?:can\s?not|can't|could\s?not|couldn't|do\snot|don't|did\snot|didn't)\s(?:see|find|identify)\s"
    rf"{_NOT_MEANT})"
)
_THERE = re.compile(rf"{_LEAD_IN}(?:there(?:\sis|\sare|'s)\sno\s{_NOT_MEANT}(?=[^\W\d_])|not\sfound\b|n/a\b)")
_NO = re.compile(rf"{_LEAD_IN}(?:no|nope)")
_CLAUSE = re.compile(r"[,.;:!?\n]|\s[-\u2013\u2014]\s")
_EMPHASIS = re.compile(r"[\"'`()\[\]{}](?!t\b|s\b)")
_OPENING = 400


def denied_tokens(
    text: str, tokens: Sequence[re.Match[str]], words: Sequence[str], naming: Collection[str]
) -> list[bool]:
    """For each token whether a denial before it reaches it.

    Args:
        text: The text.
        tokens: Its words, numbers and signs, in order; groups "word" and "other" tell which they are.
        words: The words in lower case, "" for other tokens.
        naming: Words such as "object" and "number", which belong to the id after them.
    """
    denied = [False] * len(tokens)
    lists = JOINING | _ARTICLES | frozenset(naming)
    reach = False  # a denial is open
    reached = False  # it has reached an id
    nothing = False  # "none other than <OBJ003>" is that one
    phrase = 0  # words of a noun phrase that may still come
    within = False  # a noun phrase has begun: "not at the table is <OBJ003>" goes on about something else
    for k, (token, word) in enumerate(zip(tokens, words, strict=True)):
        if k and "\n" in text[tokens[k - 1].end() : token.start()]:
            reach = False
        nothing = word in _NOTHING or (nothing and (bool(word) or token["other"] in ("<", "[")))
        if _denies(words, k) or (not nothing and _excepts(words, k)):
            # The "no" of "no object 7" belongs to the next noun alone.
            reach, reached, phrase, within = True, False, 0, word == "no"
        elif not reach:
            continue
        elif word in _PLACES or (within and word in _BEING) or (word and reached and word not in lists):
            reach = False
        elif word in _ARTICLES:
            phrase, within = _PHRASE_WORDS, True
        elif word and not (word in _SMALL or word in naming):
            phrase -= 1
            reach = phrase >= 0
        elif token["other"]:
            reach = token["other"] in _IN_CLAUSE and token["other"] != (":" if reached else ",")
        elif not word:
            denied[k] = reached = True
    return denied


def _excepts(words: Sequence[str], k: int) -> bool:
    following = words[k + 1] if k + 1 < len(words) else ""
    return words[k] in _EXCEPTING or (words[k] in _EXCEPTING_WITH and following == _EXCEPTING_WITH[words[k]])


def _denies(words: Sequence[str], k: int) -> bool:
    word = words[k]
    following = words[k + 1] if k + 1 < len(words) else ""
    if not (word in _DENYING or word.endswith("n't")) or following in _UNDONE_BY:
        return False
    # "No" that opens an answer answers the question; elsewhere it is the "no" of "there is no object 7".
    return word != "no" or k > 0


def after_says_no(text: str, end: int) -> bool:
    """Whether what follows the id that ends there says that it is not the one."""
    return _SAYS_NO.match(text, end) is not None


def says_none(text: str, *, stands_by: bool, grounding: bool) -> bool:
    """Whether an answer says that there is no such object.

    The first clause that commits itself decides: one that says "none", "no object ...", "there is no such ..." makes it
    a negative answer whatever it goes on to mention, one that names an object does not.

    Args:
        text: The answer, numbers written with "#" rather than "No.".
        stands_by: It names an object and does not turn it down.
        grounding: Objects were asked for, so "there is no lamp" means that none fits; in an answer to another question
            it is a remark if objects are named too.
    """
    # The opening is enough, and bounds the time.
    opening = _EMPHASIS.sub(" ", text[:_OPENING].lower().replace("\u2019", "'"))
    for clause in _CLAUSE.split(opening):
        said = " ".join(clause.split()).lstrip("-*> ")
        excepts = _EXCEPT.search(said) is not None
        if _NONE.match(said) and not excepts:
            return True
        absent = _ABSENT if grounding else _THERE
        if absent.match(said) and not excepts:
            return grounding or not stands_by
        if _NO.fullmatch(said) and not stands_by:
            return True
        if any(c.isdigit() for c in said) or (said and not grounding and not re.fullmatch(_LEAD_IN, said + " ")):
            return False
    return False
