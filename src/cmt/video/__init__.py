"""Rhythm of a video: frames, optical flow, visual beats, tempo."""
