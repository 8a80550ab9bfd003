"""Posed pictures with a mesh, or with depth: what nerfstudio, instant-ngp and COLMAP write.

posed:kitchen?mesh=mesh.ply              pictures, poses and a mesh in the same world
posed:kitchen?scale=0.42&up=auto         COLMAP: metres per unit, and the floor decides what is up
"""

from spaceland.scenes.posed.source import open_source, recognise

__all__ = ["open_source", "recognise"]
