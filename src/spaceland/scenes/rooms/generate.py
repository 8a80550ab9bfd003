"""From a seed to a furnished room with a walk through it.

Everything is tried and proved: a recipe furnishes a bare room, a walk is planned, and the frames are measured. What
stays unseen is taken out again; if too much goes, the next attempt starts. So each object that is left is shown.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spaceland.errors import SceneError
from spaceland.geometry.boxes import OrientedBox
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.raycast import RayCaster
from spaceland.geometry.transforms import from_rotation_translation, rotation_z
from spaceland.scenes.rooms.layout import Layout
from spaceland.scenes.rooms.path import MIN_VIEWS, Walk, plan_walk, walkable
from spaceland.scenes.rooms.placement import Placement
from spaceland.scenes.rooms.plan import Plan, make_plan
from spaceland.scenes.rooms.recipes import KINDS
from spaceland.scenes.rooms.shell import Shell, make_shell
from spaceland.scenes.rooms.sight import Sight, Target, good_views

GENERATOR = "1"
"""Changes whenever the same seed gives another room."""
MIN_OBJECTS, MAX_OBJECTS, MIN_UNIQUE = 6, 25, 5
_ATTEMPTS = 60
_CHECKED_FRAMES = 32


@dataclass(frozen=True, eq=False)
class Room3D:
    """A generated room in its own frame. Object k of the scene is `placements[k]`."""

    seed: int
    kind: str
    plan: Plan
    placements: tuple[Placement, ...]
    shell: Shell
    walk: Walk
    fov_deg: float
    T_world_room: Float[np.ndarray, "4 4"]


def seeded(*parts: object) -> np.random.Generator:
    """A random generator that depends on the parts and on nothing else."""
    digest = hashlib.sha256("/".join(map(str, ("spaceland rooms", GENERATOR, *parts))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def kind_of(seed: int) -> str:
    """Kinds take turns, so that neighbouring seeds give different rooms."""
    return list(KINDS)[(seed - 1) % len(KINDS)]


def generate_room(seed: int) -> Room3D:
    """The room of a seed.

    Raises:
        SceneError: no attempt gave a room in which everything can be seen (a bug: it is not known to happen).
    """
    for attempt in range(_ATTEMPTS):
        room = _attempt(seed, attempt)
        if room is not None:
            return room
    raise SceneError(
        f"no room could be made of seed {seed} in {_ATTEMPTS} attempts; take another seed and report this one"
    )


def _attempt(seed: int, attempt: int) -> Room3D | None:
    rng = seeded(seed, attempt)
    kind = kind_of(seed)
    recipe = KINDS[kind]
    l_shaped = bool(rng.random() < recipe.l_share)
    grow = 1.15 if l_shaped else 1.0  # an L has lost a corner
    size = grow * float(rng.uniform(*recipe.long_m)), grow * float(rng.uniform(*recipe.short_m))
    plan = make_plan(rng, size, float(np.round(rng.uniform(2.5, 2.8), 2)), l_shaped)
    layout = Layout(plan, rng)
    if not recipe.furnish(layout):
        return None
    things = _without(layout.placements, set(range(MAX_OBJECTS, len(layout.placements))))
    fov_deg = float(np.round(rng.uniform(61, 66), 1))
    camera = PinholeCamera.from_fov(640, 480, fov_deg)
    ground = walkable(plan, things)
    if ground is None:
        return None
    shell = make_shell(plan, kind, layout.rugs, seeded(seed, attempt, "shell"))
    targets, sight = targets_of(things), sight_of(things, shell)
    walk = plan_walk(ground, plan, things, targets, sight, camera, float(rng.uniform(1.42, 1.6)), rng)
    if walk is None:
        return None
    views = good_views(walk.poses(_CHECKED_FRAMES), targets, sight, camera).sum(0)
    unseen = set(np.nonzero(views < MIN_VIEWS)[0].tolist())
    kept = _without(things, unseen)
    if not {"door", "window"} <= {thing.model.label for thing in kept}:
        return None
    labels = Counter(thing.model.label for thing in kept)
    if len(kept) < MIN_OBJECTS or sum(n == 1 for n in labels.values()) < MIN_UNIQUE:
        return None
    if len(kept) < 0.75 * len(things) and attempt < _ATTEMPTS // 2:
        return None
    T_world_room = from_rotation_translation(
        rotation_z(float(rng.uniform(-np.pi, np.pi))), np.array([*rng.uniform(-3, 3, 2), 0.0])
    )
    return Room3D(seed, kind, plan, tuple(kept), shell, walk, fov_deg, T_world_room)


def _without(things: list[Placement], gone: set[int]) -> list[Placement]:
    """The things that are left when some are taken out, with all that stands on them."""
    gone = set(gone)
    for index, thing in enumerate(things):  # what bears something always comes before it
        if thing.support in gone:
            gone.add(index)
    number = {old: new for new, old in enumerate(k for k in range(len(things)) if k not in gone)}
    return [
        Placement(t.model, t.position, t.yaw, t.rest, None if t.support is None else number[t.support])
        for k, t in enumerate(things)
        if k not in gone
    ]


def box_of(thing: Placement) -> OrientedBox:
    """The box of the model, turned with it (room frame)."""
    return OrientedBox(thing.center, thing.model.size, thing.rotation)


def targets_of(things: list[Placement], count: int = 24) -> list[Target]:
    """Points on every object that stand for it."""
    targets = []
    for k, thing in enumerate(things):
        samples = thing.model.samples
        chosen = samples[np.linspace(0, len(samples) - 1, count).astype(int)]
        targets.append(Target(k, chosen @ thing.rotation.T + thing.position, box_of(thing)))
    return targets


def sight_of(things: list[Placement], shell: Shell) -> Sight:
    """Rays in the furnished room, on the models' own triangles."""
    bare = shell.mesh(100.0)
    vertices, faces, owners, start = [bare.vertices], [bare.faces], [np.full(len(bare.faces), -1)], len(bare.vertices)
    for k, thing in enumerate(things):
        vertices.append(thing.model.vertices @ thing.rotation.T + thing.position)
        faces.append(thing.model.faces + start)
        owners.append(np.full(len(thing.model.faces), k))
        start += len(thing.model.vertices)
    return Sight(RayCaster(np.concatenate(vertices), np.concatenate(faces)), np.concatenate(owners))
