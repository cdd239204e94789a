"""Controllable Music Transformer: music for a video, steered by the video's own rhythm.

`cmt.music` and `cmt.model` know music, `cmt.video` knows pictures, and `cmt.control` is the bridge
between them. Nothing here parses arguments: the scripts beside this package do.
"""
