"""Learning from music: `songs` → `loop`, over `ranks`; `run` is a whole run."""
