"""Geometry encoders, and vision-language models that get their features as tokens (extra `model`).

Geometry is a source of tokens, never a fork of a model: an encoder looks at the frames of a clip together, an adapter
turns what it saw into as many tokens as the vision-language model has for each frame, and the fused tokens enter that
unmodified Hugging Face model.

    frames -> TokenGrid -> GeometryEncoder -> GeometryFeatures -> GeometryAdapter -+-> vision-language model -> text
                       `-> the model's own image encoder -> its visual tokens -----'
"""
