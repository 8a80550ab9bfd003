"""Training of a vision-language model with or without a geometry encoder (extra `model`).

    config -> sources -> mixture (which samples, in which order) -> collator (tokens and labels) -> transformers Trainer

What is trained on is decided before the first step and depends on nothing but the configuration: the same run on
another number of processes or workers, or after an interruption, sees the same samples in the same order.
"""
