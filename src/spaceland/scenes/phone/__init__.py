"""Recordings of phone apps that write what ARKit measures: pictures, poses, and depth where the phone has a LiDAR.

    record3d   Record3D: a .r3d file, or its unpacked folder (metadata, rgbd/0.jpg, rgbd/0.depth, ...)
    stray      Stray Scanner: rgb.mp4, odometry.csv, camera_matrix.csv, depth/000000.png, confidence/000000.png
    polycam    Polycam's raw data: keyframes/images/*.jpg, keyframes/cameras/*.json, keyframes/depth/*.png

All three give metres in ARKit's world, whose y axis points up. Here the world is turned so that z points up, and the
floor goes to z = 0 where depth shows one.
"""

from spaceland.scenes.phone.source import open_source, recognise

__all__ = ["open_source", "recognise"]
