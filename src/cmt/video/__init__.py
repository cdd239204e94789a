"""Rhythm of a video: `frames` → `flow` → `visual_beats`."""
