"""Five-track pieces arranged from tunes and chord progressions; see runs/arranged_data.py."""
