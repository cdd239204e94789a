"""Which songs are learned from, and which are held out: that needs no PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cmt.files import InputError
from cmt.music.dataset import Dataset
from cmt.training.config import RunConfig


def parts(config: RunConfig, data: Dataset) -> tuple[list[int], list[int]]:
    """Songs of a run to learn from, and those held out: see `split`.

    Raises:
        InputError: nothing is left to train on.
    """
    try:
        return split(data.metadata, config.val_fraction, config.training.seed)
    except InputError as error:
        raise InputError(f"{config.data}: {error}") from error


def split(
    metadata: Sequence[Mapping[str, Any]], val_fraction: float, seed: int
) -> tuple[list[int], list[int]]:
    """Split songs into training and validation, near-duplicates (`cluster`) never apart.

    Songs whose metadata says `held_out` are the validation songs, where there are any: losses on
    the same songs can be compared, whatever else is in the data. Else songs are drawn.

    Args:
        metadata: per song; songs of the same `cluster` stay together, a song without is alone.
        val_fraction: share of songs to draw, 0 … 1; at least one song unless 0, or there is no
            other.
        seed: of the choice.

    Returns:
        Indices of training and validation songs, ascending.

    Raises:
        InputError: nothing is left to train on.
    """
    clusters: dict[Any, list[int]] = {}
    for song, entry in enumerate(metadata):
        cluster = entry.get("cluster")
        key = song if cluster in (None, "") else f"cluster {cluster}"
        clusters.setdefault(key, []).append(song)
    groups = list(clusters.values())
    named = [song for song, entry in enumerate(metadata) if entry.get("held_out")]
    if named and val_fraction > 0:
        groups = [group for group in groups if not set(group) & set(named)]
        if not groups:
            raise InputError("every song is held out, or a near-copy of one: none to train on")
        return sorted(song for group in groups for song in group), named
    np.random.default_rng(seed).shuffle(groups)
    least = min(1, len(groups) - 1)
    wanted = max(least, round(val_fraction * len(metadata))) if val_fraction > 0 else 0
    validation: list[int] = []
    while len(validation) < wanted and groups:
        validation += groups.pop()
    if not groups:
        raise InputError(
            f"a validation share of {val_fraction} of {len(metadata)} songs leaves none to train"
            " on; lower --val_fraction"
        )
    return sorted(song for group in groups for song in group), sorted(validation)
