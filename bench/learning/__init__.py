"""Does geometry help a small model that learns from nothing? See docs/learning.md; run `python -m bench.learning`."""
