"""Scenes for the tests of datasets: rendered once, since most of the time would go into that."""

import pytest

from spaceland.scenes.folder import write_scene
from spaceland.scenes.sources import open_source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The specification of a folder with three sample rooms."""
    folder = tmp_path_factory.mktemp("rooms") / "scenes"
    rooms = open_source("rooms:1-3?width=160&height=120&frames=32")
    for scene_id in rooms.ids():
        write_scene(rooms.open(scene_id), folder / scene_id)
    return f"folder:{folder}"
