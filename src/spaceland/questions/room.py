"""How large a room is (SPAR `room_size`; fill, select, sentence; video of 32 frames).

Worked example. The floor outline has the corners (0, 0), (6, 0), (6, 4), (3, 4), (3, 8), (0, 8), an L of 24 + 12 m2:

    question  How large is the floor of this room in square metres? Answer with one number.
    answer    36.0

Where the source knows no floor, it is measured on the surface (`scenes.floor`), if that can be done surely.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from spaceland.questions.answers import NumberAnswer
from spaceland.questions.facts import Fact, TaskContext
from spaceland.questions.phrasing import Wording, number_options
from spaceland.scenes.floor import floor_of


def propose_room_size(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """One fact for each scene with a known floor."""
    floor, frames = floor_of(context.scene), context.video_frames()
    room = floor.room
    if room is None:
        context.reject_scene(f"floor unknown: {floor.problem}")
    elif frames is not None:
        yield Fact(
            task="room_size",
            frames=tuple(frame.id for frame in frames),
            objects={},
            labels={},
            answer=NumberAnswer(room.area_m2, "m2", context.conventions.decimals),
            values={"area_m2": round(room.area_m2, 6)},
            params={
                "measure": "area inside the floor outline",
                "decimals": context.conventions.decimals,
                **floor.params,
            },
        )


def _fields(fact: Fact) -> dict[str, str]:
    return {"value": fact.answer.text}


def _options(fact: Fact, place: int, rng: Random) -> list[str] | None:
    assert isinstance(fact.answer, NumberAnswer)
    return number_options(fact.answer.value, place, rng, decimals=fact.answer.decimals, low=2.0, ratio=(1.25, 1.6))


ROOM_SIZE = Wording(
    fields=_fields,
    stems={
        "*": (
            "how large is the floor of this room in square metres?",
            "what is the floor area of the room in the video, in square metres?",
            "estimate the size of this room in square metres.",
            "the video walks through a room. How many square metres of floor does it have?",
            "give the floor space of the room shown, in square metres.",
            "judging by these frames, how many square metres does the room measure?",
        )
    },
    notes=("", "Floor under the furniture counts too.", "Take the whole floor from wall to wall."),
    sentences=(
        "the room has a floor of about {value} square metres.",
        "its floor area is roughly {value} square metres.",
        "I estimate the room at {value} square metres.",
        "about {value} square metres, that is the size of the room.",
        "the floor measures around {value} square metres.",
        "from wall to wall there are about {value} square metres.",
    ),
    options=_options,
)
