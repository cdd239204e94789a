"""Controllable Music Transformer: music for a video, steered by the video's own rhythm.

`cmt.words`, `cmt.midi` and `cmt.model` know music, `cmt.video` knows pictures, and
`cmt.control` is the bridge between them; `cmt.studio` goes the whole way, for the page. Nothing
here parses arguments: the scripts beside this package do.
"""
