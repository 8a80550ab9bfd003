"""Spatial questions with answers from geometry: one file for each family of tasks."""
