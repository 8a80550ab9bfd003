"""What each frame really sees: per (frame, object) visible area, truncation, occlusion, box and anchor pixel."""

from spaceland.visibility.frame_maps import FrameMaps as FrameMaps
from spaceland.visibility.frame_maps import close_up_frames as close_up_frames
from spaceland.visibility.frame_maps import spread_frames as spread_frames
from spaceland.visibility.maps import MapMaker as MapMaker
from spaceland.visibility.maps import map_maker as map_maker
from spaceland.visibility.measure import ObjectSamples as ObjectSamples
from spaceland.visibility.measure import measure_frame as measure_frame
from spaceland.visibility.scene_visibility import scene_visibility as scene_visibility
from spaceland.visibility.types import ObjectView as ObjectView
from spaceland.visibility.types import SceneVisibility as SceneVisibility
from spaceland.visibility.types import VisibilityConfig as VisibilityConfig
