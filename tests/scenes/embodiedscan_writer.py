"""Writes a `Scene` as EmbodiedScan info files over ScanNet and Matterport3D image folders.

The raw world of the ScanNet sample is turned against the scene's (`T_ALIGN`); its depth has half the size of colour.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from scannet_writer import T_ALIGN, opencv_matrix
from spaceland.files import encode_jpeg, encode_png
from spaceland.geometry.camera import PinholeCamera
from spaceland.geometry.transforms import invert_rigid
from spaceland.scenes.scene import Scene

SCANNET = "scannet/scene0042_00"
THREERSCAN = "3rscan/4acaebcc-6c10-2a2a-858b-29c7e4fb410d"
MATTERPORT = "matterport3d/17DRP5sb8fy/region0"


def write_embodiedscan(scene: Scene, root: Path, *, protocol: int = 2) -> Path:
    """Write images and `embodiedscan_infos_train.pkl` (ScanNet) and `_val.pkl` (Matterport3D); return the first."""
    write_pickle(root / "embodiedscan_infos_val.pkl", info(scene, [matterport_sample(scene, root)]), protocol)
    path = root / "embodiedscan_infos_train.pkl"
    write_pickle(path, info(scene, [scannet_sample(scene, root)]), protocol)
    return path


def write_pickle(path: Path, content: object, protocol: int = 2) -> None:
    path.write_bytes(pickle.dumps(content, protocol=protocol))


def info(scene: Scene, samples: list[dict[str, Any]]) -> dict[str, Any]:
    categories = {label: number for number, label in enumerate(sorted(scene.label_counts), 1)}
    return {"metainfo": {"categories": categories, "DATASET": "EmbodiedScan"}, "data_list": samples}


def instances(scene: Scene) -> list[dict[str, Any]]:
    labels = sorted(scene.label_counts)
    return [
        {
            "bbox_3d": [*thing.box.center, *thing.box.size, *Rotation.from_matrix(thing.box.rotation).as_euler("ZXY")],
            "bbox_label_3d": labels.index(thing.label) + 1,
            "bbox_id": thing.id + 100,
        }
        for thing in scene.objects
    ]


def _visible(scene: Scene, number: int) -> list[int]:
    frame = scene.frames[number]
    assert frame.object_ids is not None
    return [int(k) for k in np.unique(frame.object_ids()) if k >= 0]


def scannet_sample(scene: Scene, root: Path) -> dict[str, Any]:
    folder = root / "scannet" / "posed_images" / "scene0042_00"
    folder.mkdir(parents=True)
    images = []
    for number, frame in enumerate(scene.frames):
        assert frame.depth is not None
        name = f"{number * 10:05d}"
        (folder / f"{name}.jpg").write_bytes(encode_jpeg(frame.color()))
        half = np.rint(frame.depth()[::2, ::2] * 1000).astype(np.uint16)
        (folder / f"{name}.png").write_bytes(encode_png(half))
        images.append(
            {
                "img_path": f"scannet/posed_images/scene0042_00/{name}.jpg",
                "depth_path": f"scannet/posed_images/scene0042_00/{name}.png",
                "cam2global": invert_rigid(T_ALIGN) @ frame.T_world_cam,
                "visible_instance_ids": _visible(scene, number),
            }
        )
    K = opencv_matrix(scene.frames[0].camera)
    return {
        "sample_idx": SCANNET,
        "images": images,
        "instances": instances(scene),
        "axis_align_matrix": T_ALIGN,
        "cam2img": K,
        # Every second pixel: pixel j of the small image is pixel 2 j of the large one.
        "depth_cam2img": np.diag([0.5, 0.5, 1.0, 1.0]) @ K,
    }


def matterport_sample(scene: Scene, root: Path) -> dict[str, Any]:
    """Intrinsics with each image, no axis alignment but the identity, depth of a quarter millimetre."""
    folder = root / "matterport3d" / "17DRP5sb8fy"
    for name in ("matterport_color_images", "matterport_depth_images"):
        (folder / name).mkdir(parents=True)
    images = []
    for number, frame in enumerate(scene.frames):
        assert frame.depth is not None
        paths = [
            f"matterport_{k}_images/{'ab' * 16}_{k[0] if k == 'depth' else 'i'}{number}_0" for k in ("color", "depth")
        ]
        (folder / f"{paths[0]}.jpg").write_bytes(encode_jpeg(frame.color()))
        (folder / f"{paths[1]}.png").write_bytes(encode_png(np.rint(frame.depth() * 4000).astype(np.uint16)))
        images.append(
            {
                "img_path": f"matterport3d/17DRP5sb8fy/{paths[0]}.jpg",
                "depth_path": f"matterport3d/17DRP5sb8fy/{paths[1]}.png",
                "cam2global": frame.T_world_cam,
                "cam2img": opencv_matrix(frame.camera),
                "visible_instance_ids": _visible(scene, number),
            }
        )
    return {"sample_idx": MATTERPORT, "images": images, "instances": instances(scene), "axis_align_matrix": np.eye(4)}


def threerscan_sample(scene: Scene, root: Path, depth_suffix: str = ".pgm") -> dict[str, Any]:
    """Pictures of a phone that was held upright: turned a quarter clockwise, with the camera and pose of that image.

    Depth has half the size of colour and is a PGM; `depth_suffix` is that of `depth_path`.
    """
    folder = root / THREERSCAN / "sequence"
    folder.mkdir(parents=True)
    images = []
    for number, frame in enumerate(scene.frames):
        assert frame.depth is not None
        name = f"frame-{number * 10:06d}"
        (folder / f"{name}.color.jpg").write_bytes(encode_jpeg(np.rot90(frame.color(), -1).copy()))
        half = np.rint(frame.depth()[::2, ::2] * 1000).astype(np.uint16)
        (folder / f"{name}.depth.pgm").write_bytes(pgm(np.rot90(half, -1)))
        # Right in the stored picture is up in the upright one, and down is right.
        right, down, ahead = frame.T_world_cam[:3, :3].T
        pose = frame.T_world_cam.copy()
        pose[:3, :3] = np.stack([-down, right, ahead], -1)
        images.append(
            {
                "img_path": f"{THREERSCAN}/sequence/{name}.color.jpg",
                "depth_path": f"{THREERSCAN}/sequence/{name}.depth{depth_suffix}",
                "cam2global": pose,
                "visible_instance_ids": _visible(scene, number),
            }
        )
    up = scene.frames[0].camera
    K = opencv_matrix(PinholeCamera(up.height, up.width, up.fy, up.fx, up.height - up.cy, up.cx))
    # Pixel j of the small image is pixel 2 j down the stored picture and, as rows count from its right, 2 j + 1 across.
    small = np.diag([0.5, 0.5, 1.0, 1.0]) @ K
    small[0, 2] -= 0.5
    return {
        "sample_idx": THREERSCAN,
        "images": images,
        "instances": instances(scene),
        "axis_align_matrix": np.eye(4),
        "cam2img": K,
        "depth_cam2img": small,
    }


def pgm(counts: np.ndarray) -> bytes:
    """A binary PGM whose largest value is not the type's, as phones write it."""
    return b"P5\n# made by a phone\n%d %d\n9000\n" % counts.shape[::-1] + counts.astype(">u2").tobytes()
