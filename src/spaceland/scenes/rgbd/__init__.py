"""`rgbd:PATH`: folders of posed RGB-D frames in the layouts of common datasets.

layouts.py        a small description of each layout: 7-Scenes and 3DMatch, Replica, TUM, Open3D, pose list
trajectories.py   the pose files they come with
calibration.py    the intrinsics files they come with
options.py        what can be said on the command line: rgbd:kitchen?up=0,-1,0&fx=525&...
read.py           one reader for all: a listing and options become a Scene
source.py         PATH is one sequence, or a folder of them
"""

from spaceland.scenes.rgbd.source import RgbdSource, open_source, recognise

__all__ = ["RgbdSource", "open_source", "recognise"]
