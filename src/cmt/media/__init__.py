"""Films as files: opened, clocked, copied and heard in one place, for pictures and sound alike."""
