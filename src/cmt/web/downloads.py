"""The files of a take, as visitors take them home: named after their video."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from cmt.files import replacing

# What a take's folder holds, by what it is asked for as; of two the first that is there.
FILES = {
    "mp4": ("music.mp4", "music.mkv"),
    "wav": ("music.wav",),
    "mp3": ("music.mp3",),
    "mid": ("music.mid",),
    "json": ("music.mid.json",),
    "markers.csv": ("music.markers.csv",),
    "markers.edl": ("music.markers.edl",),
}
STEM = re.compile(r"stems/\w+\.flac")


def find(take: Path, kind: str) -> Path | None:
    """The file of a take's folder that a kind means; None where there is none."""
    names = (kind,) if STEM.fullmatch(kind) else FILES.get(kind, ())
    return next((path for name in names if (path := take / name).is_file()), None)


def name_of(video: str, take: Path, path: Path) -> str:
    """What a file is called at home: holiday_music_1.mp4, holiday_music_1_Drums.mp3."""
    stem = re.sub(r"[^\w\- ]+", "_", video.rpartition(".")[0] or video).strip("_ ") or "video"
    part = f"_{path.stem}" if path.parent.name == "stems" else ""
    kinds = (kind for kind, names in FILES.items() if path.name in names and kind != "mp4")
    suffix = next((f".{kind}" for kind in kinds), path.suffix)
    return f"{stem}_music_{take.name}{part}{suffix}"


def pack(take: Path, video: str) -> Path:
    """All files of a take as a ZIP beside them, its stems as WAV; nothing is compressed further."""
    packed = take / "all.zip"
    if not packed.exists():
        with replacing(packed) as temporary, zipfile.ZipFile(temporary, "w") as target:
            for path in (path for kind in FILES if (path := find(take, kind))):
                target.write(path, name_of(video, take, path))
            for stem in sorted(take.glob("stems/*.flac")):
                with TemporaryDirectory(dir=take) as folder:
                    wav = Path(folder) / f"{stem.stem}.wav"
                    unpack(stem, wav)
                    target.write(wav, name_of(video, take, stem.with_suffix(".wav")))
    return packed


def unpack(path: Path, wav: Path) -> None:
    """Write a sound that is packed without loss as WAV, 16 bits."""
    with av.open(str(path)) as source, av.open(str(wav), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=source.streams.audio[0].rate, layout="stereo")
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
