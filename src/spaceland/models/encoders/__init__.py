"""Geometry encoders: networks that look at all frames of a clip together and say what is where."""
