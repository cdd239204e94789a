"""Draw and encode videos/sample.mp4, our own animation for the demo: 16 bars at 120 BPM.

    videos/make_sample.py
    videos/make_sample.py --output /tmp/sample.mp4

Six scenes with hard cuts between them, whose speed changes from bar to bar: a slow sunrise,
bouncing balls, tiles that slide ever faster and stop dead on the beat, a poster that does not
move at all, a tunnel, and a sea that comes to rest. Time is in beats throughout, lengths in
pixels of a 1280 × 720 picture. The same file comes out every time.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cmt.files import VIDEOS, replacing
from cmt.outputs import check_outputs
from cmt.script import parser, run_script

WIDTH, HEIGHT = 1280, 720
FPS = 30
TEMPO = 120  # BPM
ENCODED = (960, 540)  # smaller than it is drawn: smooth edges, a small file
SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV

Colour = tuple[int, ...]


def rgb(code: int) -> Colour:
    """0xRRGGBB as OpenCV's blue, green, red."""
    return code & 255, code >> 8 & 255, code >> 16


NIGHT, INDIGO, VIOLET = rgb(0x12132B), rgb(0x2B2A63), rgb(0x6B4EE6)
CORAL, AMBER, TEAL, CREAM = rgb(0xFF5C62), rgb(0xFFB52E), rgb(0x1EC9B0), rgb(0xFFF1D8)
MINT = rgb(0x9BE8D4)
PALETTE = (CORAL, AMBER, TEAL, VIOLET, CREAM, INDIGO)


def slam(beat: float) -> float:
    """A position that runs ever faster up to the next whole beat and stops there dead."""
    return beat // 1 + (beat % 1) ** 3


def sway(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """The picture (or a pattern that repeats) seen by a camera moved by x, y."""
    matrix = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)


def gradient(*stops: Colour) -> np.ndarray:
    """A picture whose colour runs from the first stop at the top to the last at the bottom."""
    rows = np.linspace(0, len(stops) - 1, HEIGHT)
    column = [np.interp(rows, range(len(stops)), channel) for channel in zip(*stops, strict=True)]
    return np.repeat(np.stack(column, -1)[:, None], WIDTH, axis=1).astype(np.uint8)


def fixed(values: object) -> np.ndarray:
    """Coordinates in OpenCV's fixed-point format."""
    return np.rint(np.asarray(values, np.float64) * 2**SUBPIXEL).astype(np.int32)


def polygon(picture: np.ndarray, points: object, colour: Colour) -> None:
    """Fill a polygon (n, 2)."""
    cv2.fillPoly(picture, [fixed(points)], colour, cv2.LINE_AA, SUBPIXEL)


def disc(picture: np.ndarray, x: float, y: float, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    ellipse(picture, x, y, radius, radius, colour)


def ellipse(
    picture: np.ndarray,
    x: float,
    y: float,
    width: float,
    height: float,
    colour: Colour,
    *,
    turn: float = 0,
    sweep: float = 360,
) -> None:
    """Fill an ellipse of these half axes, or a slice of `sweep` degrees from `turn` on."""
    centre, axes = fixed((x, y)).tolist(), fixed((width, height)).tolist()
    start = turn % 360
    cv2.ellipse(picture, centre, axes, 0, start, start + sweep, colour, -1, cv2.LINE_AA, SUBPIXEL)


def ball(
    picture: np.ndarray, x: float, y: float, radius: float, squash: float, turn: float
) -> None:
    """A beach ball; `squash` 0 … 1 flattens it, `turn` is in degrees."""
    width, height = radius * (1 + squash / 3), radius * (1 - squash / 3)
    for slice_, colour in enumerate((CORAL, CREAM, AMBER, CREAM, VIOLET, CREAM)):
        ellipse(picture, x, y, width, height, colour, turn=turn + 60 * slice_, sweep=60)
    disc(picture, x, y, radius / 6, NIGHT)


def sunrise(beat: float) -> np.ndarray:
    """Forests in front of a rising sun, drifting slowly by. 8 beats."""
    picture = gradient(INDIGO, VIOLET, CORAL, AMBER)
    sun = 480 - 22 * beat
    disc(picture, 640, sun, 190, AMBER)
    disc(picture, 640, sun, 165, CREAM)
    for layer, (base, size, speed) in enumerate(
        ((470, 50, 4), (540, 80, 8), (620, 120, 16), (720, 190, 32))
    ):
        shade = 0.75 - 0.22 * layer
        colour = tuple(int(shade * a + (1 - shade) * b) for a, b in zip(CORAL, NIGHT, strict=True))
        random = np.random.default_rng(layer)
        spacing = size * 0.55
        for tree in range(round(2 * WIDTH / spacing)):
            x = tree * spacing + random.uniform(-0.2, 0.2) * spacing - speed * beat
            height = size * random.uniform(0.7, 1.5)
            ground = base + 25 * np.sin(tree * spacing / 150 + layer)
            for part in (0.0, 0.3, 0.55):
                half = height * 0.28 * (1 - part * 0.8)
                foot = ground - height * part
                polygon(
                    picture,
                    [(x - half, foot), (x + half, foot), (x, ground - height * (part + 0.45))],
                    colour,
                )
            left, right = x - spacing, x + spacing
            soil = [(left, HEIGHT), (left, ground), (right, ground), (right, HEIGHT)]
            polygon(picture, soil, colour)
    return picture


def bounces(beat: float) -> np.ndarray:
    """Balls that hit the ground on the beat, more of them every bar. 12 beats."""
    floor, travel = 590, 90 * beat
    picture = gradient(TEAL, MINT)
    for x in range(-110, WIDTH + 220, 110):
        for row, y in enumerate(range(30, floor, 110)):
            disc(picture, x + 55 * (row % 2) - travel / 2 % 110, y, 8, CREAM)
    polygon(picture, [(0, floor), (WIDTH, floor), (WIDTH, HEIGHT), (0, HEIGHT)], VIOLET)
    for place in range(-160, WIDTH + 160, 80):
        left = place - travel % 80
        stripe = [(left, floor), (left + 40, floor), (left - 20, HEIGHT), (left - 60, HEIGHT)]
        polygon(picture, stripe, INDIGO)

    # Beats from one hit to the next, height, radius, place, first beat.
    for period, height, radius, x, first in (
        (1.0, 330, 90, 640, 0),
        (2.0, 460, 60, 280, 4),
        (0.5, 130, 45, 960, 8),
        (0.5, 130, 45, 1120, 8.25),
    ):
        age = (beat - first) / period
        if age < -0.5:
            continue
        phase = age % 1
        up = 4 * phase * (1 - phase) * height
        squash = max(0, 1 - min(phase, 1 - phase) * period / 0.08)
        reach = radius * (1 - 0.6 * up / height)
        ellipse(picture, x, floor + 14, reach, reach / 5, NIGHT)
        ball(picture, x, floor - up - radius * (1 - squash / 3), radius, squash, 150 * beat)
        if age >= 0:
            for spark in range(10):
                angle = np.pi * (spark + 0.5) / 10
                far = radius + 170 * (1 - (1 - phase) ** 3)
                disc(
                    picture,
                    x + far * np.cos(angle),
                    floor - 0.6 * far * np.sin(angle),
                    max(0, 11 * (1 - 1.6 * phase * period)),
                    PALETTE[spark % 4],
                )
    jolt = np.exp(-7 * (beat % 1)) * np.cos(9 * (beat % 1))
    return sway(picture, 0, 14 * jolt)


@functools.cache
def tiles(seed: int) -> np.ndarray:
    """A pattern of geometric tiles of 160 px, 16 × 16 of them, that repeats."""
    size, random = 160, np.random.default_rng(seed)
    picture = np.zeros((16 * size, 16 * size, 3), np.uint8)
    for row, column in np.ndindex(16, 16):
        back, front, third = (PALETTE[i] for i in random.permutation(len(PALETTE))[:3])
        tile = np.full((size, size, 3), back, np.uint8)
        kind = random.integers(5)
        if kind == 0:
            for radius, colour in ((160, front), (110, back), (60, third)):
                disc(tile, 0, 0, radius, colour)
        elif kind == 1:
            polygon(tile, [(0, 0), (size, 0), (0, size)], front)
            disc(tile, 110, 110, 26, third)
        elif kind == 2:
            disc(tile, 80, 80, 62, front)
            disc(tile, 80, 80, 30, third)
        elif kind == 3:
            for x in range(0, size, 40):
                polygon(tile, [(x, 0), (x + 20, 0), (x + 20, size), (x, size)], front)
        else:
            for x, y in np.ndindex(4, 4):
                disc(tile, 20 + 40 * x, 20 + 40 * y, 11, front)
        top, left = row * size, column * size
        picture[top : top + size, left : left + size] = np.rot90(tile, int(random.integers(4)))
    return picture


def sliding(beat: float) -> np.ndarray:
    """Rows of tiles, then columns, slide and stop on the beat, then all on half beats. 12 beats."""
    bar = int(beat // 4)
    pattern, step = tiles(3 + bar), 160 * slam(beat)
    if bar == 2:
        return sway(pattern, 80 * slam(2 * beat), 80 * slam(2 * beat))
    x, y = (0, step) if bar else (step, 0)
    there, back = sway(pattern, x, y), sway(pattern, -x, -y)
    odd = np.arange(WIDTH) // 160 % 2 == 1 if bar else np.arange(HEIGHT)[:, None] // 160 % 2 == 1
    return np.where(odd[..., None], back, there)


def poster(beat: float) -> np.ndarray:
    """Nothing moves. 4 beats."""
    picture = np.full((HEIGHT, WIDTH, 3), CREAM, np.uint8)
    for ring in range(7):
        colour = (CORAL, CREAM)[ring % 2]
        ellipse(picture, 500, 470, 330 - 45 * ring, 330 - 45 * ring, colour, turn=180, sweep=180)
    polygon(picture, [(0, 470), (WIDTH, 470), (WIDTH, HEIGHT), (0, HEIGHT)], INDIGO)
    disc(picture, 880, 220, 105, AMBER)
    polygon(picture, [(760, 470), (1140, 470), (950, 250)], TEAL)
    for x, y in np.ndindex(14, 4):
        disc(picture, 90 + 85 * x, 520 + 50 * y, 9, (AMBER, CREAM, CORAL)[(x + y) % 3])
    return picture


def tunnel(beat: float) -> np.ndarray:
    """A flight that slams on every beat; cuts on bars, then on every second beat. 16 beats."""
    shot = int(beat // 4) if beat < 8 else int(beat // 2) - 2
    corners, pace = (4, 6, 3, 5, 4, 8)[shot], 1.2 if beat < 8 else 2
    direction = -1 if shot % 2 else 1
    distance = pace * (0.7 * slam(beat) + 0.3 * beat)
    picture = np.full((HEIGHT, WIDTH, 3), NIGHT, np.uint8)
    colours = [PALETTE[(i + shot) % len(PALETTE)] for i in (0, 5, 1, 5, 2, 5)]
    nearest = int(np.ceil(16 - distance))
    for ring in range(nearest, nearest - 11, -1):
        radius = 9 * 1.42 ** (ring + distance)
        turn = direction * (0.22 * ring + 0.35 * slam(beat / 2))
        angles = turn + 2 * np.pi * np.arange(corners) / corners
        points = np.stack([640 + radius * np.cos(angles), 360 + radius * np.sin(angles)], -1)
        if radius < 4000:
            polygon(picture, points, colours[ring % len(colours)])
            for share in (0, 0.5):
                for x, y in points + share * (np.roll(points, 1, axis=0) - points):
                    x, y = 640 + 0.86 * (x - 640), 360 + 0.86 * (y - 360)
                    if abs(x - 640) < 1000 and abs(y - 360) < 800:
                        disc(picture, x, y, 0.05 * radius, CREAM)
    return picture


def sea(beat: float) -> np.ndarray:
    """The moon over water that comes to rest. 12 beats."""
    flow = 8 * (1 - (1 - min(beat, 10) / 10) ** 2)
    picture = gradient(NIGHT, INDIGO, VIOLET)
    random = np.random.default_rng(9)
    for x, y, radius in random.uniform((0, 0, 1), (WIDTH, 400, 3.2), (110, 3)):
        disc(picture, x, y, radius, CREAM)
    disc(picture, 860, 190, 95, CREAM)
    for x, y, radius in ((830, 160, 18), (890, 215, 24), (850, 235, 11), (905, 155, 12)):
        disc(picture, x, y, radius, rgb(0xE8D6B8))
    water = gradient(INDIGO, NIGHT)
    picture[430:] = water[430:]
    for row, y in enumerate(np.geomspace(1, 290, 16) + 430):
        depth = (y - 430) / 290
        for wave in range(-2, 34):
            shift = 46 * depth * np.sin(0.7 * flow + row) + (20 + 60 * depth) * flow / 4
            x = wave * (46 + 60 * depth) + 31 * (row % 3) - shift
            lit = abs(x - 860) < 60 + 130 * depth
            half = (14 + 26 * depth) * (1.2 if lit else 1)
            ellipse(picture, x, y, half, 1.2 + 3.4 * depth, CREAM if lit else VIOLET)
    x, y = 220 + 36 * flow, 475 + 5 * np.sin(1.6 * flow)
    tilt = 0.05 * np.cos(1.6 * flow)
    boat = [(-90, 0), (90, 0), (62, 34), (-66, 34)]
    for points, colour in (
        (boat, CORAL),
        ([(-4, -4), (-4, -150), (-74, -14)], CREAM),
        ([(6, -4), (6, -165), (86, -14)], AMBER),
    ):
        polygon(picture, [(x + a - tilt * b, y + b + tilt * a) for a, b in points], colour)
    dark = np.clip(beat - 11, 0, 1)
    return (picture * (1 - dark)).astype(np.uint8)


SCENES: tuple[tuple[Callable[[float], np.ndarray], int], ...] = (
    (sunrise, 8),
    (bounces, 12),
    (sliding, 12),
    (poster, 4),
    (tunnel, 16),
    (sea, 12),
)


def main(argv: list[str] | None = None) -> None:
    """Draw every frame and encode it."""
    options = parser(__doc__)
    options.add_argument("--output", type=Path, default=VIDEOS / "sample.mp4")
    arguments = options.parse_args(argv)
    check_outputs([arguments.output])

    import av
    from tqdm import tqdm

    frame_beats = TEMPO / 60 / FPS
    with (
        replacing(arguments.output) as temporary,
        av.open(str(temporary), "w", options={"fflags": "bitexact"}) as target,
    ):
        stream = target.add_stream("libx264", rate=FPS)
        stream.width, stream.height = ENCODED
        stream.pix_fmt = "yuv420p"
        # x264's output depends on the number of threads and, unless told otherwise, on the CPU.
        x264 = "threads=1:cpu-independent=1:keyint=300"
        stream.options = {"crf": "31", "preset": "slow", "x264-params": x264}
        for scene, beats in SCENES:
            frames = round(beats / frame_beats)
            for frame in tqdm(range(frames), desc=scene.__name__, disable=None):
                drawn = scene(frame * frame_beats)
                small = cv2.resize(drawn, ENCODED, interpolation=cv2.INTER_AREA)
                picture = av.VideoFrame.from_ndarray(small.astype(np.uint8), format="bgr24")
                target.mux(stream.encode(picture))
        target.mux(stream.encode(None))


if __name__ == "__main__":
    sys.exit(run_script(main))
