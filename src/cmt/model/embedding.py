"""Classes and ticks as vectors, under the original's parameter names."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cmt.model.config import CMTConfig
from cmt.model.dropout import Dropout
from cmt.music.vocabulary import TICKS_PER_BAR

PHRASE = 4 * TICKS_PER_BAR  # ticks
MAX_TICKS = 20_000  # rows of the positional table in the original's checkpoints


class Embedding(nn.Module):
    """A lookup table whose rows are scaled by √width."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.lut = nn.Embedding(size, width)
        self.scale = math.sqrt(width)
        # Vectors of variance 1 to begin with: at the default, the square root of the width times
        # larger, the sinusoids of the tick that are added to them go unheard for long.
        nn.init.normal_(self.lut.weight, std=1 / self.scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map classes (…) to vectors (…, width)."""
        return self.lut(x) * self.scale


class TickEncoding(nn.Module):
    """Sinusoids of the absolute tick, added to the input (original: BeatPositionalEncoding)."""

    pe: Tensor

    def __init__(self, d_model: int, dropout: float, meter: bool = False) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.meter = meter
        self.register_buffer("pe", self._table(MAX_TICKS, d_model, meter))

    @staticmethod
    def _table(ticks: int, d_model: int, meter: bool) -> Tensor:
        if torch.get_default_device().type == "meta":  # shapes alone are asked for
            return torch.empty(1, ticks, d_model)
        exponents = torch.arange(0, d_model, 2) * (-math.log(10_000.0) / d_model)
        # float32 exp differs between processors by a unit in the last place, which is 3e-4 rad
        # at tick 5,000: float64 makes the table the same everywhere.
        frequencies = exponents.double().exp().float()
        if d_model == CMTConfig.d_model:
            _round_as_published(frequencies)
        if meter:  # in place of the fastest: a harmonic of the bar for each tick, and the phrase
            bar = torch.arange(TICKS_PER_BAR // 2, 0, -1) * (2 * math.pi / TICKS_PER_BAR)
            phrase = torch.arange(3, 0, -1) * (2 * math.pi / PHRASE)
            frequencies[: len(bar) + len(phrase)] = torch.cat([bar, phrase])
        angles = (torch.arange(ticks).unsqueeze(1) * frequencies).double()
        table = torch.stack([angles.sin(), angles.cos()], dim=-1).float()
        return table.flatten(-2).unsqueeze(0)

    def reserve(self, ticks: int) -> None:
        """Lengthen the table to at least `ticks` rows, for songs beyond MAX_TICKS."""
        if ticks > self.pe.shape[1]:
            self.pe = self._table(ticks, self.pe.shape[2], self.meter).to(self.pe)

    def forward(self, x: Tensor, ticks: Tensor) -> Tensor:
        """Add the encoding of `ticks` (…) to x (…, d_model)."""
        return self.dropout(x + self.pe[0, ticks])


def _round_as_published(frequencies: Tensor) -> None:
    """Move the five frequencies that the original's float32 exp (Intel MKL) rounds otherwise.

    Their exact values lie almost half-way between two float32 numbers. With them the table is
    the published one; without them hidden states differ by 5e-5.
    """
    up, down = [26, 39, 88, 238], [53]
    infinity = frequencies.new_tensor(math.inf)
    frequencies[up] = torch.nextafter(frequencies[up], infinity)
    frequencies[down] = torch.nextafter(frequencies[down], -infinity)
