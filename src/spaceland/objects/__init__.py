"""Objects of a scene: found in posed frames, lifted into space, joined over frames, given numbers that stay."""
