"""A reply, read: the objects that it names, and the number that it states where one was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from spaceland.asking.parse import ParsedIds, parse_ids
from spaceland.asking.request import Request
from spaceland.asking.templates import Task
from spaceland.benchmarks.numbers import stated_number
from spaceland.chat.types import ChatModel, Reply
from spaceland.prompts.marked import MarkedFolder

_GROUNDING: tuple[Task, ...] = ("ground", "ground-all")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said and what was read from it.

    `marks` are the numbers of the objects that the answer stands by (for `ground` the first one alone), `mentioned`
    all that it names. `number` is the count or the metres that it states.
    """

    request: Request
    reply: Reply
    parsed: ParsedIds
    marks: tuple[int, ...]
    number: float | None

    @property
    def mentioned(self) -> tuple[int, ...]:
        return self.parsed.ids

    @property
    def verdict(self) -> str:
        """One word or two for what was understood: objects, none, unknown objects, number, no object named."""
        if self.parsed.says_none:
            return "none"
        if self.marks:
            return "objects"
        if self.parsed.unknown:
            return "unknown objects"
        return "number" if self.number is not None else "no object named"


def ask(model: ChatModel, request: Request, marked: MarkedFolder) -> Answer:
    """Send a request and read the reply.

    Raises:
        ChatError: the model could not be asked, or its answer is none.
    """
    return read_answer(request, model.complete(request.messages, request.generation), marked)


def read_answer(request: Request, reply: Reply, marked: MarkedFolder) -> Answer:
    """Read a reply; any text is fine."""
    task = request.task
    parsed = parse_ids(reply.text, marked.labels, bare_numbers=task in _GROUNDING)
    marks = parsed.chosen[:1] if task == "ground" else parsed.chosen
    number = None
    said = reply.text.rpartition("</think>")[2]
    if task == "count":
        # "3: <OBJ001>, ..." states its count before the colon; ids are no counts.
        number = stated_number(said.partition(":")[0][:2000])
    elif task == "distance":
        number = stated_number(said[-2000:], "m")
    return Answer(request=request, reply=reply, parsed=parsed, marks=marks, number=number)
