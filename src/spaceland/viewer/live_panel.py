"""The panel beside the 3D scene: what is shown, which object or frame stands out, and the rows of a dataset.

Lists carry the names of objects as plain text; cards are markup made by `live_rows`, which escapes what it is given.
Nothing goes through viser's Markdown, which would run code in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spaceland.viewer.live import SceneView, object_name
from spaceland.viewer.live_rows import LiveRow, objects_card, row_card

ALL = "all"


class Panel:
    """Controls of a `SceneView`; the handles are attributes, so that tests can use them as a person would."""

    def __init__(self, view: SceneView, rows: Sequence[LiveRow] = ()) -> None:
        self.view, self.rows = view, rows
        gui, scene = view.server.gui, view.scene
        self.switches: dict[str, tuple[Any, list[Any]]] = {}
        with gui.add_folder("Show"):
            for label, handles in (
                ("surface", [view.surface]),
                ("boxes", list(view.boxes.values())),
                ("names", list(view.names.values())),
                ("cameras", list(view.cameras.values())),
                ("camera path", [view.path]),
                ("floor outline", [view.floor]),
            ):
                known = [handle for handle in handles if handle is not None]
                if known:
                    self._switch(label, known)
        with gui.add_folder("Stand out"):
            self._objects = {ALL: None, **{object_name(thing): thing.id for thing in scene.objects}}
            self.object = gui.add_dropdown("object", tuple(self._objects), initial_value=ALL)
            self.frame = gui.add_dropdown("frame", (ALL, *view.cameras), initial_value=ALL)
            self.look = gui.add_button("look through the frame")
        self.card = gui.add_html("")
        self.row: Any = None
        if rows:
            with gui.add_folder("Rows"):
                self._names = {f"{k + 1}. {row.name}": k for k, row in enumerate(rows)}
                self.row = gui.add_dropdown("row", ("none", *self._names), initial_value=next(iter(self._names)))
                step = gui.add_button_group("go", ("back", "on"))
                self.row_card = gui.add_html("")
            self.row.on_update(lambda _: self.show_row())
            step.on_click(lambda event: self.step(1 if event.target.value == "on" else -1))
        self.object.on_update(lambda _: self.choose())
        self.frame.on_update(lambda _: self.choose())
        self.look.on_click(lambda event: self.look_through(event.client))
        self.show_row()

    def _switch(self, label: str, handles: list[Any]) -> None:
        box = self.view.server.gui.add_checkbox(label, True)
        self.switches[label] = box, handles
        box.on_update(lambda _: self.turn(label, box.value))

    def turn(self, label: str, on: bool) -> None:
        """Show or hide a part."""
        box, handles = self.switches[label]
        if box.value != on:
            box.value = on
        for handle in handles:
            handle.visible = on

    def choose(self) -> None:
        """Light what the two lists say."""
        chosen = self._objects[self.object.value]
        frame = self.frame.value
        self.view.light([] if chosen is None else [chosen], [] if frame == ALL else [frame])
        self.card.content = "" if chosen is None else str(objects_card(self.view.scene, [chosen]))

    def show_row(self) -> None:
        """Light what the chosen row is about, and show its text."""
        k = self._names.get(self.row.value) if self.row is not None else None
        if k is None:
            self.choose()
            return
        row = self.rows[k]
        self.view.light(row.objects, row.frames)
        self.row_card.content = str(row_card(row))
        self.card.content = str(objects_card(self.view.scene, row.objects))

    def step(self, by: int) -> None:
        """The next or the last row."""
        names = list(self._names)
        at = self._names.get(self.row.value, -1 if by > 0 else 0)
        self.row.value = names[(at + by) % len(names)]
        self.show_row()

    def look_through(self, client: Any) -> None:
        """Put the viewer where the chosen (or first lit) frame was taken; cameras would stand in the way."""
        frame_id = self.frame.value if self.frame.value != ALL else next(iter(sorted(self.view.lit_frames)), None)
        if frame_id is None or client is None:
            return
        pose = self.view.scene.frames_by_id[frame_id].T_world_cam
        for label in ("cameras", "camera path"):
            if label in self.switches:
                self.turn(label, False)
        with client.atomic():
            client.camera.position = pose[:3, 3]
            client.camera.look_at = pose[:3, 3] + pose[:3, 2]
