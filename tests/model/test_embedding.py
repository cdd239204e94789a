"""The tick table is the same whatever its length, and tells the meter where asked to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from cmt.model import checkpoint
from cmt.model.network import CMT
from cmt.music.vocabulary import TICKS_PER_BAR
from conftest import SMALL


@torch.no_grad()
def test_the_tick_table_grows_without_changing(small_model: CMT) -> None:
    before = small_model.encoder_pos_emb.pe.clone()
    small_model.reserve(30_000)
    assert small_model.encoder_pos_emb.pe.shape[1] == 30_000
    torch.testing.assert_close(small_model.encoder_pos_emb.pe[:, : before.shape[1]], before)


def test_meter_tells_the_place_in_the_bar_linearly(tmp_path: Path) -> None:
    """A regression on the table finds each tick's place in the bar, and a checkpoint keeps it."""
    ticks = np.arange(0, 5000, 7)
    place = np.eye(TICKS_PER_BAR)[ticks % TICKS_PER_BAR]
    wrong = []
    for meter in (False, True):
        model = CMT(dataclasses.replace(SMALL, meter=meter))
        checkpoint.save(tmp_path / f"{meter}.pt", model)
        encoding = checkpoint.load(tmp_path / f"{meter}.pt")[0].encoder_pos_emb
        torch.testing.assert_close(encoding.pe, model.encoder_pos_emb.pe)
        table = encoding.pe[0, ticks].double().numpy()
        found = table @ np.linalg.lstsq(table, place)[0]
        wrong.append((found.argmax(1) != ticks % TICKS_PER_BAR).mean())
    assert wrong[0] > 0.5
    assert wrong[1] == 0
