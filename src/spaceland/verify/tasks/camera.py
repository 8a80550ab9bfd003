"""How cameras move."""

from __future__ import annotations

from collections.abc import Sequence

from spaceland.scenes.scene import Frame, Scene
from spaceland.verify import solvers, text
from spaceland.verify.rows import Row, Wrong, real, reals, whole
from spaceland.verify.tasks.common import decimals, rounded, stored_close


def check_view_change(row: Row, scene: Scene, frames: Sequence[Frame]) -> None:
    """`view_change_infer`: from the first pose to the second."""
    derived = solvers.motion(frames[0], frames[1])
    most = real(row.params.get("max_roll_deg"), "facts.params.max_roll_deg")
    roll = solvers.wrap_deg(solvers.angles_deg(frames[1])[2] - solvers.angles_deg(frames[0])[2])
    if abs(roll) > most + solvers.EPSILON:
        raise Wrong(f"the views differ by {abs(roll):.1f} degrees of roll, more than {most:g}")
    for name, stored in (("facts.value", row.value), ("facts.values.motion", row.values.get("motion"))):
        for part, number in zip(reals(stored, name, 5), derived, strict=True):
            stored_close(name, part, number)
    if text.asks_backwards(text.stem_of(row)):
        raise Wrong("the question asks for the way from the second image to the first")
    places, angle = decimals(row), whole(row.params.get("angle_step_deg"), "facts.params.angle_step_deg")
    if not 1 <= angle <= 90:
        raise Wrong(f"facts.params.angle_step_deg is {angle}, expected 1 to 90")
    if row.format == "fill":
        written = text.read_motion(row.answer, places, angle)
    else:
        written = text.read_motion_sentence(row.answer)
    steps = (10.0**-places,) * 3 + (angle, angle)
    for name, number, exact, step in zip(
        ("right", "up", "forward", "turn up", "turn right"), written, derived, steps, strict=True
    ):
        rounded(f"motion {name}", number, exact, step)
