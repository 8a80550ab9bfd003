"""How the scorers of multiple-choice benchmarks read a letter out of a reply.

Every function takes a reply and gives a capital letter, or None where the rule finds none. They disagree on plain
sentences; for "The answer is B":

>>> first_letter("The answer is B"), cambrian_letter("The answer is B"), phrase_letter("The answer is B")
('T', 'B', 'B')

All take linear time; where a released regular expression does not, the same rule is written as a scan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

FIRST_LETTER = {"first-letter": "the first letter of the text decides: 'The answer is B' names T"}
"""What protocols with `first_letter` say about it."""
FIVE_WORDS = {"five-words": "a lone option letter counts among the last four words, else the only option text"}
"""What protocols with `inferred_letter` say about it."""
PHRASE_LETTER = {
    "inside-words": "a capital inside a word counts: 'Because' names B, 'It is A' A",
    "answer-is-a": "two commas are missing in its list of phrases: 'Answer: C' names A, 'Best answer: C' B",
}
"""What protocols with `phrase_letter` say about it."""
NO_JUDGE = {"no-judge": "a model would be asked about replies that the rule cannot read; here they are wrong"}
"""What protocols say whose code has a judge for replies that its rule cannot read."""
_OPENING = re.compile(r"[(\s]*([A-Z])", re.IGNORECASE)
_CAMBRIAN_WORDS = ("answer is", "answer is:", "answer:")
_PHRASES = (
    "The best answer is", "The correct answer is", "The answer is", "The answer",
    # Commas are missing in the released list: these two never occur.
    "The best option isThe correct option is", "Best answer:Best option:",
)  # fmt: skip
_A_TO_F = re.compile("[A-F]")
_DOUBLE_TICKS = re.compile(r"``([^`]*)``")
_TICKS = re.compile(r"`([^`]*)`")
_A_TO_D_WORD = re.compile(r"\b([A-D])\b", re.IGNORECASE)
_STI = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        r"\(([A-E])\)",
        r"Ans\s*=\s*['\"]?([A-E])",
        r"Answer\s*[:=]\s*([A-E])",
        r"Option\s+([A-E])",
        r"\b([A-E])\s*(?:is|was)\s*correct",
        r"\b([A-E])[.)]\s*$",
    )
)
_A_TO_D_SAID = tuple(
    re.compile(pattern)
    for pattern in (
        r"^([A-D])[.\s)]",
        r"^([A-D])$",
        r"[Aa]nswer[:\s]+([A-D])",
        r"[Tt]he answer is[:\s]+([A-D])",
        r"[Mm]y answer is[:\s]+([A-D])",
        r"\(([A-D])\)",
        r"([A-D])\.",
        r"\b([A-D])\b",
    )
)
_MINDCUBE_DOT = re.compile(r"([A-E])\.")
_MINDCUBE_SECTION = (re.compile(r"[Mm]y answer is ([A-E])"), re.compile(r"[Tt]he answer is ([A-E])"))
_MINDCUBE_ANYWHERE = re.compile(r"([A-E])(?:$|\s)")
_MINDCUBE_LINE = re.compile(r"(?:^|\n)(?:Answer: )?([A-E])(?:$|\s)")
_MINDCUBE_LATER = (
    re.compile(r"[*\"]([A-E])[*\"]"),
    re.compile(r"\bAnswer:?\s*([A-E])\b"),
    re.compile(r"answer is ([A-E])"),
)
_A_TO_E_WORD = re.compile(r"\b([A-E])\b")
_REFUSALS = (
    "Sorry, I can't help with images of people yet.", "I can't process this file.",
    "I'm sorry, but without the image provided", "Cannot determine the answer",
)  # fmt: skip
_SIGNS = ".()[],:;!*#{}"
_TO_BLANKS = str.maketrans(_SIGNS, " " * len(_SIGNS))
_NEAR_THE_END = 5
NO_OPTION = "Z"
"""What VLMEvalKit calls a reply that refuses, or means none of the options."""


def first_letter(reply: str) -> str | None:
    """lmms-eval for CV-Bench, BLINK and EmbSpatial: the first letter of the text, of any word and case."""
    found = _OPENING.match(reply.strip())
    return found[1].upper() if found else None


def cambrian_letter(reply: str) -> str | None:
    """Cambrian: what follows the last "answer is" (or "answer:"), of which the first character counts.

    >>> cambrian_letter("(b) because"), cambrian_letter("The answer is: B"), cambrian_letter("Because")
    ('B', ':', 'B')
    """
    text = reply.lower().strip()
    for words in _CAMBRIAN_WORDS:
        text = text.rpartition(words)[2]
    text = text.strip().rstrip(".").lstrip("(").rstrip(")")
    return text[:1].upper() or None


def phrase_letter(reply: str) -> str | None:
    """VG-LLM: the first capital A to F once phrases such as "The best answer is" are gone, also inside a word.

    >>> phrase_letter("The best answer is C"), phrase_letter("Best answer: C"), phrase_letter("Answer: C")
    ('C', 'B', 'A')
    """
    text = reply.strip()
    for phrase in _PHRASES:
        text = text.replace(phrase, "")
    found = _A_TO_F.search(text)
    return found[0] if found else None


def blink_letter(reply: str, num_options: int) -> str | None:
    """BLINK, before it asks a model: a bare letter, or the only "(X)" between blanks, best in the last paragraph.

    >>> blink_letter("It is (B)", 2), blink_letter("(A) is near.\\n\\nSo (B)", 2), blink_letter("B.", 2)
    ('B', 'B', None)
    """
    if reply in ("A", "B", "C", "D", "E"):
        return reply
    if reply in ("(A)", "(B)", "(C)", "(D)", "(E)"):
        return reply[1]
    choices = {f"({letter})" for letter in "ABCDE"[:num_options]}
    named = choices & set(reply.split())
    last = choices & set(reply.rpartition("\n\n")[2].split())
    if not named or (len(named) != 1 and len(last) != 1):
        return None
    return (last if len(last) == 1 else named).pop()[1]


def quoted_letter(reply: str, letters: str = "A-F") -> str | None:
    """MMSI-Bench: inside ``..``, then `..`, then {..} where there are any, the first lone capital with no word after.

    >>> quoted_letter("``B``"), quoted_letter("A chair, so {C}"), quoted_letter("A chair"), quoted_letter("B, a chair")
    ('B', 'C', None, 'B')
    """
    text = reply
    for ticks in (_DOUBLE_TICKS, _TICKS):
        inside = ticks.search(text)
        text = inside[1] if inside else text
    start = text.find("{")
    end = text.find("}", start)
    text = text[start + 1 : end] if 0 <= start < end else text
    found = re.search(rf"\b[{letters}]\b(?!\s[a-zA-Z])", text)
    return found[0] if found else None


def mindcube_letter(reply: str, *, anywhere: bool = True) -> str | None:
    """MindCube: the last match of the first pattern that matches at all; "X." comes first, wherever it stands.

    `anywhere` is the pattern of the released code that lmms-eval's copy lacks: a capital before white space or the end,
    also at the end of a word.

    >>> mindcube_letter("B. left, not D. right"), mindcube_letter("**B**"), mindcube_letter("I see a SOFA, so (B)!")
    ('D', 'B', 'B')
    """
    dotted = _MINDCUBE_DOT.findall(reply)
    if dotted:
        return dotted[-1]
    # No "X." is left from here on, so the released patterns that hold one can never match and are not repeated.
    tag = reply.find("<Answer>")
    section = reply[tag + 8 :].partition("<")[0] if tag >= 0 else ""
    for pattern in (*_MINDCUBE_SECTION, _A_TO_E_WORD) if section else ():
        found = pattern.findall(section)
        if found:
            return found[-1]
    for pattern in (_MINDCUBE_ANYWHERE if anywhere else _MINDCUBE_LINE, *_MINDCUBE_LATER):
        found = pattern.findall(reply)
        if found:
            return found[-1]
    for line in reversed(reply.split("\n")):
        word = _A_TO_E_WORD.search(line)
        if word:
            return word[1]
    return None


def last_line_letter(reply: str) -> str | None:
    """ViewSpatial: the first lone A to D of the last line, in any case.

    >>> last_line_letter("B is likely.\\nC"), last_line_letter("on a chair: B")
    ('C', 'A')
    """
    found = _A_TO_D_WORD.search(reply.rpartition("\n")[2])
    return found[1].upper() if found else None


def sti_letter(reply: str) -> str | None:
    """STI-Bench: the first of six patterns that matches, else the last character of the text if it is A to E.

    >>> sti_letter("(b) it is"), sti_letter("B"), sti_letter("B - it moves"), sti_letter("a TABLE")
    ('B', 'B', None, 'E')
    """
    for pattern in _STI:
        found = pattern.search(reply)
        if found:
            return found[1].upper()
    last = reply.strip()[-1:]
    return last if last and last in "ABCDE" else None


def site_letter(reply: str, letters: str) -> str | None:
    """SITE (after MMMU): "(A)", else " A ", else "A.", else "A:", ":A" or ": A"; of several the last between blanks.

    >>> site_letter("not A but B", "ABCD"), site_letter("(B) or (A)", "ABCD"), site_letter("B", "AB")
    ('B', 'A', 'B')
    """
    text = f" {reply.strip()} "
    for forms in (("({})",), (" {} ",), ("{}.",), ("{}:", ":{}", ": {}")):
        named = [letter for letter in letters if any(form.format(letter) in text for form in forms)]
        if named:
            # Only blanks on both sides count here: of "(B) or (A)" neither has them, and the first option wins.
            return max(named, key=lambda letter: text.rfind(f" {letter} "))
    return None


def pattern_letter(reply: str) -> str | None:
    """lmms-eval for 3DSRBench: the first of seven patterns that matches, from "A." at the start to any lone capital.

    >>> pattern_letter("The answer is B"), pattern_letter("A chair, so (B)"), pattern_letter("b")
    ('B', 'A', None)
    """
    text = reply.strip()
    for pattern in _A_TO_D_SAID:
        found = pattern.search(text)
        if found:
            return found[1]
    return None


def inferred_letter(reply: str, options: Mapping[str, str]) -> str | None:
    """VLMEvalKit without a judge: the only option letter between blanks, near the end; else the only option text.

    `options` are texts by letter. A reply more than twice as long as all options together is not searched for texts.

    >>> inferred_letter("It is (B).", {"A": "left", "B": "right"}), inferred_letter("to the left", {"A": "left"})
    ('B', None)
    """
    letter = inferred_choice(reply, options)
    return None if letter == NO_OPTION else letter


def inferred_choice(reply: str, options: Mapping[str, str]) -> str | None:
    """`inferred_letter`, and Z (`NO_OPTION`) where the reply refuses or says Z: a judge is not asked about those.

    >>> inferred_choice("Cannot determine the answer", {"A": "left"}), inferred_choice("Well", {"A": "left"})
    ('Z', None)
    """
    if any(refusal in reply for refusal in _REFUSALS):
        return NO_OPTION
    words = reply.translate(_TO_BLANKS).split()
    named = [letter for letter in options if letter in words]
    if len(named) == 1 and words.index(named[0]) > len(words) - _NEAR_THE_END:
        return named[0]
    if not named and NO_OPTION in words:
        return NO_OPTION
    text = reply.lower()
    if len(text) > 2 * sum(map(len, options.values())):
        return None
    held = [letter for letter, option in options.items() if option.lower() in text]
    return held[0] if len(held) == 1 else None


def by_letter(options: Sequence[str]) -> dict[str, str]:
    """Option texts by letter."""
    return dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", map(str, options), strict=False))


_LETTERED_OPTION = re.compile(r"(?:^|[\s,;])\(?([A-J])[.):]\s+")


def options_in_text(text: str) -> list[str]:
    """Options that stand in a text with their letters: "A. left B. right", "(A) left", or one on a line.

    >>> options_in_text("Where is it?\\nOptions: A: left, B: right"), options_in_text("Is A. Smith here?")
    (['left', 'right'], [])
    """
    starts: list[re.Match[str]] = []
    for found in _LETTERED_OPTION.finditer(text):
        if found[1] == "A":
            starts = [found]
        elif starts and ord(found[1]) == ord(starts[-1][1]) + 1:
            starts.append(found)
    if len(starts) < 2:
        return []
    ends = [found.start() for found in starts[1:]] + [len(text)]
    return [text[found.end() : end].strip(" ,;\n") for found, end in zip(starts, ends, strict=True)]
