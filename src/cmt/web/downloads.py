"""The files of a take, as visitors take them home: named after their video."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from cmt.files import replacing

# What a take's folder holds, by what it is asked for as; of two the first that is there.
FILES = {
    "mp4": ("music.mp4", "music.mkv"),
    "wav": ("music.wav",),
    "mp3": ("music.mp3",),
    "mid": ("music.mid",),
    "json": ("music.mid.json",),
}
STEM = re.compile(r"stems/\w+\.(?:mp3|wav)")


def find(take: Path, kind: str) -> Path | None:
    """The file of a take's folder that a kind means; None where there is none."""
    names = (kind,) if STEM.fullmatch(kind) else FILES.get(kind, ())
    return next((path for name in names if (path := take / name).is_file()), None)


def name_of(video: str, take: Path, path: Path) -> str:
    """What a file is called at home: holiday_music_1.mp4, holiday_music_1_Drums.mp3."""
    stem = re.sub(r"[^\w\- ]+", "_", video.rpartition(".")[0] or video).strip("_ ") or "video"
    part = f"_{path.stem}" if path.parent.name == "stems" else ""
    suffix = ".json" if path.name.endswith(".json") else path.suffix
    return f"{stem}_music_{take.name}{part}{suffix}"


def pack(take: Path, video: str) -> Path:
    """All files of a take as a ZIP beside them; stored as they are, as most are compressed."""
    packed = take / "all.zip"
    if not packed.exists():
        paths = [path for kind in FILES if (path := find(take, kind))]
        paths += sorted(take.glob("stems/*"))
        with replacing(packed) as temporary, zipfile.ZipFile(temporary, "w") as target:
            for path in paths:
                target.write(path, name_of(video, take, path))
    return packed
