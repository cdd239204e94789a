"""The Controllable Music Transformer."""
