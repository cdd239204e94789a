"""A file of pictures or sound that anybody may have made, opened by FFmpeg: that file alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from cmt.files import InputError, plain

# FFmpeg also opens pictures, plain text (as "tty") and lists of other files as videos.
NO_MEDIA = ("image2", "tty", "concat", "hls", "dash", "imf", "sdp", "rtp", "rtsp", "lavfi")
WEBP_HEAD = 34  # bytes: RIFF's header, the canvas, the name of the next chunk
FOR_SOME = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired


@contextmanager
def opened(path: Path, what: str, give: str, **options: str) -> Iterator[InputContainer]:
    """An open file.

    Args:
        path: the file.
        what: it is to be, in words.
        give: what to give, where it is not that.
        options: of FFmpeg's, besides.

    Raises:
        InputError: it cannot be opened, or what is done with it fails.
    """
    # An absolute name can't be read as a protocol, whatever colons it has; nor may a file name
    # others elsewhere. Titles in other encodings stay what they are.
    options = {"protocol_whitelist": "file", "fflags": "genpts", **options}
    try:
        container = av.open(
            str(plain(path).absolute()), options=options, metadata_errors="surrogateescape"
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be opened as {what} ({reason}); {give}") from error
    with container:
        try:
            yield container
        except (av.FFmpegError, IndexError) as error:  # streams may appear amid a damaged file
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"{path}: cannot be read ({reason}); copy or export it again"
            ) from error


def is_media(container: InputContainer) -> bool:
    """Whether it is pictures that move or sound, by its format."""
    name = container.format.name
    return not name.startswith(NO_MEDIA) and not name.endswith("_pipe")


def without_pictures(path: Path) -> str:
    """Why a file shows nothing that moves, and what to do."""
    with path.open("rb") as file:
        head = file.read(WEBP_HEAD)
    if head[8:12] == b"WEBP" and head[30:34] == b"ANIM":
        return "an animated WebP, which FFmpeg does not decode; export it as GIF or MP4"
    return "has no moving picture; give a video file"


def sound_of(container: InputContainer) -> AudioStream | None:
    """The sound that is heard with the pictures by default; None if none can be decoded."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    return max(
        streams,
        key=lambda s: (bool(s.disposition & Disposition.default), not s.disposition & FOR_SOME),
        default=None,
    )
