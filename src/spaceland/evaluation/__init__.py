"""Models on benchmarks: asking, keeping what they say, scoring, comparing."""
