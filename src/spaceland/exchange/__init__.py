"""Datasets in the formats of others: written (`export`), read (`import`), mixed, and cut to benchmarks."""
