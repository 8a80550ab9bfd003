"""From a capture to a scene: keyframes, poses, depth, a fused surface, gravity, walls and scale."""
