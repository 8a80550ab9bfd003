"""How walks are told: the steps of an answer, and the wording of both kinds of `nav_video`.

Worked example. Legs of 2.1 m and 3.0 m with a lamp beside the first:

    steps     turn right / walk 2.1 m / pass the lamp 0.8 m to the left / turn left / walk 3.0 m / stop 1.1 m from ...
    sentence  Turn right and walk 2.1 m, passing the lamp 0.8 m to the left, then turn left and walk 3.0 m, then ...
"""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.questions.answers import RouteAnswer
from spaceland.questions.facts import Fact
from spaceland.questions.language import capitalise
from spaceland.questions.phrasing import Wording
from spaceland.scenes.scene import SceneObject

_SPOKEN = {"right": "turn right", "left": "turn left", "round": "turn round", "straight": "look straight ahead"}


def steps_of(
    places: int,
    lengths_m: Sequence[float],
    words: Sequence[str | None],
    passed: Sequence[tuple[int, SceneObject, float]],
    goal: tuple[SceneObject, float],
) -> tuple[str, ...]:
    """What the walker does, one thing after the other.

    Args:
        places: Decimals of metres.
        lengths_m: Of the legs.
        words: How each leg begins, as `walks.turn_word` has it.
        passed: Number of the leg, thing, and metres to its right.
        goal: Where one stops, and how far from its centre.
    """
    steps: list[str] = []
    for k, (length_m, word) in enumerate(zip(lengths_m, words, strict=True)):
        assert word is not None
        steps += [_SPOKEN[word], f"walk {length_m:.{places}f} m"]
        for number, other, right_m in passed:
            if number == k:
                side = "right" if right_m > 0 else "left"
                steps.append(f"pass the {other.label} {abs(right_m):.{places}f} m to the {side}")
    return (*steps, f"stop {goal[1]:.{places}f} m from the {goal[0].label}")


def _fields(fact: Fact) -> dict[str, str]:
    assert isinstance(fact.answer, RouteAnswer)
    flowing, lines = "", []
    for step in fact.answer.value:
        verb = step.split(" ")[0]
        if verb == "walk":
            flowing += f" and {step}"
            lines[-1] += f" and {step}"
        elif verb == "pass":
            # Of several things passed on one leg, the second and later ones are joined by "and".
            flowing += (" and" if lines[-1].startswith("pass ") else ", passing") + step.removeprefix("pass")
            lines.append(step)
        else:
            flowing += f", then {step}" if flowing else step
            lines.append(step)
    said = {"route": flowing, "Steps": ". ".join(capitalise(line) for line in lines)}
    if fact.values["kind"] == "walked":
        first, last = fact.values["stretch"]
        return {**said, "from": f"Frame-{first}", "to": f"Frame-{last}"}
    labels = list(fact.labels.values())
    names = {"start": labels[0], "facing": labels[1], "goal": labels[-1]}
    return {
        **said,
        **names,
        "away": f"{fact.values['start_gap_m']:g}",
        "clear": f"{fact.params['way_clear_m']:g}",
        "before": f"{fact.params['route_stop_m']:g}",
    }


_WALKED = Wording(
    fields=_fields,
    stems={
        "*": (
            "give directions for the way that the camera takes from {from} to {to}.",
            "somebody wants to walk the way that the video shows from {from} to {to}. What should they do?",
            "describe the walk from {from} to {to} as instructions for another person.",
            "write down how to follow the path of this video from {from} to {to}.",
            "how would you guide somebody along the path of the camera from {from} to {to}?",
            "turn the walk from {from} to {to} into directions: where to turn, how far to go, what to pass and where "
            "to stop.",
        )
    },
    notes=(
        "The walker starts where {from} was taken and looks the same way; left and right are the walker's. Give "
        "distances in metres, to the centres of things.",
        "Begin with the view of {from}. Sides are those of the walker, who looks ahead; measure in metres on the "
        "floor, to the middle of things.",
        "Start from the view of {from} and take left and right as the walker would, with metres on the floor plan to "
        "the centres of things.",
    ),
    sentences=(
        "from the view of {from}, {route}.",
        "{Steps}.",
        "start where {from} was taken: {route}.",
        "start with the view of {from}. {Steps}.",
        "to follow the video from {from} to {to}, {route}.",
        "here is the way. {Steps}.",
    ),
)
_PLANNED = Wording(
    fields=_fields,
    stems={
        "*": (
            "stand beside the {start} and face the {facing}. How do you walk from there to the {goal}?",
            "somebody stands at the {start}, looks towards the {facing} and wants to go to the {goal}. Which way?",
            "start at the {start} with your view on the {facing}: what is the way to the {goal}?",
            "you are next to the {start}, turned towards the {facing}. Give directions to the {goal}.",
            "plan a walk through this room, from the {start}, facing the {facing} at first, to the {goal}.",
            "a robot waits beside the {start} and points at the {facing}. Tell it how to get to the {goal} without "
            "bumping into anything.",
            "beside the {start} and with the {facing} straight ahead, how does one walk to the {goal}?",
        )
    },
    notes=(
        "The walk begins {away} m from the edge of the {start}, on the side of the {facing}. It is the shortest one "
        "that keeps {clear} m away from everything, and ends {before} m before the edge of the {goal}. Left and right "
        "are the walker's; the metres of the answer are on the floor plan, to the centres of things.",
        "One stands {away} m away from the edge of the {start}, in the direction of the {facing}, goes the shortest "
        "way that stays {clear} m clear of everything, and stops {before} m before touching the {goal}. Sides are "
        "those of the walker, who looks ahead; in the answer, measure on the floor, to the middle of things.",
        "At first there are {away} m of floor between the walker and the {start}, and the {facing} is straight "
        "ahead. Wanted is the shortest way at least {clear} m from all things, up to {before} m before the {goal}. "
        "Take left and right as the walker would, and answer with metres on the floor plan to the centres of things.",
    ),
    sentences=(
        "{route}.",
        "{Steps}.",
        "from the {start}, facing the {facing}, {route}.",
        "start at the {start} with your view on the {facing}. {Steps}.",
        "to get to the {goal}, {route}.",
        "here is the way to the {goal}. {Steps}.",
    ),
)
"""Ways that were planned through free space."""
NAVIGATION = Wording(
    fields=_WALKED.fields,
    stems=_WALKED.stems,
    notes=_WALKED.notes,
    sentences=_WALKED.sentences,
    of_fact=lambda fact: _PLANNED if fact.values["kind"] == "planned" else _WALKED,
)
