"""Grounding, detection and dense captioning as text: the prompts and answers that VG LLM's models know.

`box9_frames` boxes of nine numbers with their convention and frame named, `prompts` what is asked and answered,
`parse` what a model wrote, `refine` proposals in place of predicted boxes. No torch.
"""
