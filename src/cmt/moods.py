"""Moods: what each of a few words asks of the music, and which of them suits a picture.

Slow and sparse or fast and dense tells how lively music is, major or minor how bright: the two
axes on which listeners place it (Russell, "A Circumplex Model of Affect", 1980; Gabrielsson and
Lindström, "The Role of Structure in the Musical Expression of Emotions", 2010). What a picture
looks like is placed on the same axes (Valdez and Mehrabian, "Effects of Color on Emotions", 1994:
brightness and saturation please, saturation and what moves arouse).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmt.music.vocabulary import DEFAULT_TEMPO

if TYPE_CHECKING:
    from cmt.control import Control
    from cmt.video.look import Look

OCTAVES = range(-2, 3)


@dataclass(frozen=True)
class Mood:
    """What a mood asks of the music.

    Attributes:
        about: it, in words.
        mode: of its key, a name of `cmt.music.keys.MODES`.
        tempo: BPM, the lowest and the highest; about an octave, so that some octave of any tempo
            is in it or near.
        density: by which the densities that a video asks for are multiplied.
        timbres: of tracks, as `cmt.sound.timbres` names them; the others are usual.
        progressions: moods of `cmt.music.progressions`.
        pleasure: how pleasant it is, −1 … 1.
        arousal: how lively, −1 … 1.
    """

    about: str
    mode: str
    tempo: tuple[float, float]
    density: float
    timbres: Mapping[str, str]
    progressions: tuple[str, ...]
    pleasure: float
    arousal: float

    def tempo_near(self, tempo: float) -> float:
        """Of the octaves of a tempo (BPM) that which is nearest to the mood's range.

        Of several inside it that which is nearest to the tempo itself.
        """
        low, high = self.tempo
        octaves = sorted(OCTAVES, key=abs)
        return min(
            (tempo * 2.0**octave for octave in octaves),
            key=lambda each: round(max(0.0, math.log2(low / each), math.log2(each / high)), 6),
        )

    def tempo_for(self, control: Control) -> float:
        """The tempo (BPM) that it has for what a video asks."""
        from cmt.retiming import tempo_within  # NumPy, which a command line does without

        octave = self.tempo_near(control.tempo or DEFAULT_TEMPO)
        return tempo_within(control, *self.tempo, octave)


MOODS = {
    "calm": Mood(
        "slow and sparse, in major", "major", (50, 96), 0.6,
        {"Drums": "brush", "Piano": "electric", "Guitar": "nylon", "Strings": "pad"},
        ("peaceful", "relaxed", "tender", "spiritual"), 0.5, -0.7,
    ),
    "happy": Mood(
        "bright and lively, in major", "major", (84, 160), 1.1,
        {"Guitar": "steel"},
        ("joyful", "hopeful", "excited"), 0.8, 0.4,
    ),
    "tense": Mood(
        "busy and dark, in minor", "minor", (80, 150), 1.2,
        {"Drums": "electronic", "Bass": "deep", "Strings": "pad"},
        ("dark", "fearful", "anguished"), -0.7, 0.5,
    ),
    "sad": Mood(
        "slow and sparse, in minor", "minor", (48, 92), 0.55,
        {"Drums": "brush", "Guitar": "nylon"},
        ("sad", "lonely"), -0.6, -0.6,
    ),
    "epic": Mood(
        "dense and broad, in minor", "minor", (66, 132), 1.35,
        {"Drums": "power", "Guitar": "overdriven"},
        ("triumphant", "empowered", "dramatic", "rebellious"), -0.1, 0.9,
    ),
    "playful": Mood(
        "quick and light, in major", "major", (92, 170), 0.9,
        {"Guitar": "nylon", "Piano": "electric"},
        ("playful", "joyful", "surprised"), 0.7, 0.1,
    ),
}  # fmt: skip

# What a look is measured by: the middle of videos, and how far from it is much.
BRIGHTNESS, SATURATION, WARMTH = (0.42, 0.25), (0.3, 0.3), (0.0, 0.1)
HITS, SPEED = (25.0, 2.0), (0.08, 3.0)  # the second in octaves
FEW_HITS, SLOW = 5.0, 0.01  # added, so that none has a logarithm
# Shares of these in how pleasant and how lively a video is.
PLEASURE = {"brightness": 0.5, "saturation": 0.25, "warmth": 0.25}
AROUSAL = {"hits": 0.5, "speed": 0.35, "saturation": 0.15}
CLEARLY = 0.3  # beyond which it is told
WORDS = {
    "brightness": ("dark", "bright"),
    "saturation": ("grey", "colourful"),
    "warmth": ("cool", "warm"),
    "pace": ("quiet", "lively"),
}


@dataclass(frozen=True)
class Suggestion:
    """A mood that suits a video: a name of MOODS, and why, in words."""

    mood: str
    reason: str


def suggest(look: Look) -> Suggestion:
    """The mood that is nearest to a look in how pleasant and how lively it is."""
    seen = {
        "brightness": _beyond(look.brightness, BRIGHTNESS),
        "saturation": _beyond(look.saturation, SATURATION),
        "warmth": _beyond(look.warmth, WARMTH),
        "hits": _beyond(math.log2((look.hits + FEW_HITS) / HITS[0]), (0, HITS[1])),
        "speed": _beyond(math.log2((look.speed + SLOW) / SPEED[0]), (0, SPEED[1])),
    }
    pleasure = sum(share * seen[name] for name, share in PLEASURE.items())
    arousal = sum(share * seen[name] for name, share in AROUSAL.items())
    mood = min(
        MOODS,
        key=lambda name: math.hypot(MOODS[name].pleasure - pleasure, MOODS[name].arousal - arousal),
    )
    told = {**seen, "pace": (seen["hits"] + seen["speed"]) / 2}
    words = [
        names[told[name] > 0] for name, names in WORDS.items() if abs(told[name]) > CLEARLY
    ] or ["neither dark nor bright, neither quiet nor lively"]
    listed = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    return Suggestion(mood, f"the video is {listed}")


def _beyond(value: float, scale: tuple[float, float]) -> float:
    """How far a value is from the middle of a scale, −1 … 1."""
    middle, much = scale
    return min(max((value - middle) / much, -1.0), 1.0)
