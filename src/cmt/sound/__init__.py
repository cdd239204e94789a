"""From notes to what is heard: samples, loudness, files, films."""
