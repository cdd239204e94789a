"""Music as notes, as words, and as files."""
