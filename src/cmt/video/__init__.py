"""Rhythm of a video: `frames` → `flow` → `visual_beats`, and `plots` to look at it."""
