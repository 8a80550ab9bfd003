"""VG LLM's training and evaluation sets: built from the published annotations, read, and written from our own rows.

`infos` EmbodiedScan's ScanNet samples, `described` ScanRefer's descriptions, `frames` which frames a row shows,
`grounding`, `captioning`, `detection` the rows of a scene, `build` the set, `released` VG LLM's own JSON files, `adopt`
those as a dataset of ours, `export` our rows in their form.
"""
