"""Where a named thing is, in three dimensions (`grounding_frame`, `grounding_box`; fill; video of 32 frames).

Worked example. The only lamp of the room is seen best in the twelfth frame of a video: its centre at pixel (263.7,
254.4) of 640 x 480 and 2.31 m deep. Its box is 0.61 m long, 0.52 m wide and 0.90 m high:

    grounding_frame  Find the lamp in the video. ...     Frame-12,(412,530),2.31,(0.52,0.90,0.61)

With the camera of that frame the pixel and the depth give the centre of the box in the world. The same thing as a box
of nine numbers in the axes of the frame's camera, in the form that VG LLM is trained on, where frames count from 0:

    grounding_box    {"frame": 11, "bbox_3d": [-0.25, 0.07, 2.31, 0.61, 0.52, 0.9, 0.12, 1.31, 0.03]}

The numbers are centre, size and the angles of `geometry.box9` (convention "ZXY"), all with two decimals, whatever the
conventions say about other tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

from spaceland.geometry.box9 import box9_in_camera
from spaceland.geometry.upright import lean_deg, length_width_height
from spaceland.questions.answers import FrameBoxAnswer, GroundingAnswer
from spaceland.questions.facts import Fact, TaskContext, shuffled
from spaceland.questions.language import is_plural
from spaceland.questions.marks import to_thousand
from spaceland.questions.phrasing import Wording
from spaceland.scenes.scene import Frame
from spaceland.visibility.types import ObjectView

BOX9_PARAMS: Mapping[str, object] = {
    "angles": "intrinsic ZXY",
    "axes": "third up, first nearest to the camera's right",
    "decimals": 2,
}
"""Which nine numbers are written."""


def propose_grounding_frame(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """Every thing with a label of its own, in the frame that shows it best."""
    policy = context.policy
    for frames, index, view in _named_things(context, rng):
        thing, camera = context.thing(view.object_id), frames[index].camera
        length, width, height = length_width_height(thing.box)
        leans_deg = lean_deg(thing.box)
        if leans_deg > policy.max_box_tilt_deg:
            context.reject("its box leans", (view.frame_id,), (thing.id,), leans_deg)
            continue
        x, y = to_thousand(view.center_px[0], camera.width), to_thousand(view.center_px[1], camera.height)
        answer = GroundingAnswer(index + 1, (x, y), view.center_depth_m, (width, height, length))
        params = {"first_frame": 1, "size": "width, height, length", "decimals": 2}
        params |= {"max_box_tilt_deg": policy.max_box_tilt_deg}
        yield _fact("grounding_frame", frames, view, answer, thing.label, params)


def propose_grounding_box(context: TaskContext, rng: Random) -> Iterator[Fact]:
    """The same things as boxes in the camera of the frame that shows them best."""
    for frames, index, view in _named_things(context, rng):
        thing = context.thing(view.object_id)
        box = tuple(float(v) for v in box9_in_camera(thing.box, frames[index].T_world_cam))
        params = {"first_frame": 0, **BOX9_PARAMS}
        yield _fact("grounding_box", frames, view, FrameBoxAnswer(index, box), thing.label, params)


def _named_things(context: TaskContext, rng: Random) -> Iterator[tuple[tuple[Frame, ...], int, ObjectView]]:
    """The frames of the video, which of them shows a thing best, and the view; the thing's label means nothing else."""
    frames = context.video_frames()
    if frames is None:
        return
    index = {frame.id: k for k, frame in enumerate(frames)}
    best = context.views.best_in(tuple(index))
    for object_id in shuffled(best, rng):
        view = best[object_id]
        problem = context.views.naming_problem(context.label(object_id))
        if problem:
            context.reject(problem, (view.frame_id,), (object_id,))
            continue
        yield frames, index[view.frame_id], view


def _fact(
    task: str,
    frames: tuple[Frame, ...],
    view: ObjectView,
    answer: GroundingAnswer | FrameBoxAnswer,
    label: str,
    params: Mapping[str, object],
) -> Fact:
    camera = next(frame.camera for frame in frames if frame.id == view.frame_id)
    x, y = to_thousand(view.anchor_px[0], camera.width), to_thousand(view.anchor_px[1], camera.height)
    return Fact(
        task=task,
        frames=tuple(frame.id for frame in frames),
        objects={"red": view.object_id},
        labels={"red": label},
        answer=answer,
        values={"seen_at": {str(view.object_id): [view.frame_id, x, y]}},
        params=params,
    )


def _thing_fields(fact: Fact) -> Mapping[str, str]:
    many = is_plural(fact.labels["red"])
    it, its, it_is = ("them", "their", "are they") if many else ("it", "its", "is it")
    return {"a": fact.name("red"), "a_is": "are" if many else "is", "it": it, "its": its, "it_is": it_is}


_FIND = (
    "find the {a} in the video.",
    "in which frame {a_is} the {a} easy to see, and where {it_is} there?",
    "the room holds exactly one thing of this kind: the {a}. Locate {it}.",
    "go through the frames, pick one that shows the {a} well, and locate {it} in space.",
    "someone is looking for the {a}. Tell a frame that shows {it}, and where.",
    "locate the {a} in one frame of your choice that shows {it} clearly.",
)

GROUNDING_FRAME = Wording(
    fields=_thing_fields,
    stems={"*": _FIND},
    sentences=(),
    notes=(
        "Wanted are the frame (Frame-1 is the first), the centre of its 3D box in that image on a scale of 0 to 1000 "
        "across and down, the depth of the centre in metres along the viewing direction, and the size of the box in "
        "metres: shorter horizontal side, height, longer horizontal side.",
        "Frames are numbered from Frame-1. The place is the centre of the 3D box, x and y from 0 to 1000, with its "
        "depth along the optical axis in metres; width is the shorter and length the longer horizontal side.",
        "Count frames from Frame-1, measure the picture from 0 to 1000 in both directions, and the depth of the box "
        "centre and the sides of the box in metres (width: shorter side on the floor, length: longer one).",
    ),
    tails={
        "fill": (
            "Answer in the form Frame-<number>,(<x>,<y>),<depth>,(<width>,<height>,<length>) with two decimals for "
            "metres.",
            "Reply as Frame-<number>,(<x>,<y>),<depth>,(<width>,<height>,<length>), metres with two decimals, and "
            "nothing else.",
            "Write only Frame-<n>,(<x>,<y>),<depth>,(<width>,<height>,<length>), without blanks.",
            "Use exactly this form, metres to two decimals: Frame-<n>,(<x>,<y>),<depth>,(<width>,<height>,<length>).",
            "Give an answer such as Frame-7,(512,430),2.35,(0.45,0.80,1.20).",
            "Fill in Frame-<n>,(<x>,<y>),<depth>,(<width>,<height>,<length>); metres have two decimals.",
        )
    },
)

BOX_NOTES = (
    "A box is [x, y, z, x_size, y_size, z_size, yaw, roll, pitch], in metres and radians: centre and turns in the axes "
    "of the camera (x right, y down, z forward), the third side being the vertical one; yaw, roll, pitch are turns "
    "about z, then x, then y of the box's own axes.",
    "Boxes are written in camera axes (x right, y down, z ahead) as [x, y, z, x_size, y_size, z_size, yaw, roll, "
    "pitch], in metres and radians; the third side is the vertical one, and yaw, roll, pitch are turns about z, then "
    "x, then y of the box's own axes.",
    "Use metres and radians in the axes of the camera, x to the right, y down, z forward, in this order: [x, y, z, "
    "x_size, y_size, z_size, yaw, roll, pitch]; yaw, roll, pitch are turns about z, then x, then y of the box's own "
    "axes, and its third side is vertical.",
)
"""What the nine numbers are. The turns begin with the box's axes along those of the camera: intrinsic ZXY."""
_CHOSEN = (
    "choose a frame that shows {it} well and give {its} 3D box in the camera of that frame; the first image is frame 0."
)

GROUNDING_BOX = Wording(
    fields=_thing_fields,
    stems={"*": _FIND},
    sentences=(),
    notes=tuple(f"{_CHOSEN} {note}" for note in BOX_NOTES),
    tails={
        "fill": (
            'Answer with a JSON object: the frame under "frame" and the nine numbers under "bbox_3d".',
            'Reply in JSON with the keys "frame" (a whole number) and "bbox_3d" (a list of nine numbers).',
            'Write a JSON dictionary that has the frame index as "frame" and the box as "bbox_3d".',
            'Put the index of the frame into "frame" and the box into "bbox_3d" of one JSON object.',
            'As output, one JSON object is expected, with "frame" and "bbox_3d".',
            'Return JSON: "frame" tells the frame, "bbox_3d" the box with two decimals.',
        )
    },
)
