"""Rhythm of a video: `frames` → `flow` → `original` (the published analysis); all: `analysis`."""
