"""Sizes of a model, without the model: they can be asked for before PyTorch is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cmt.music.vocabulary import (
    INITIAL_PARAMETERS,
    INITIAL_SIZES,
    INITIAL_WIDTH,
    PUBLISHED,
    VOCABULARIES,
    Vocabulary,
)

if TYPE_CHECKING:
    from torch import Tensor

HEAD_WIDTH = 64  # of the full-size model; the number of heads cannot be read from weights


@dataclass(frozen=True)
class CMTConfig:
    """Sizes of a model; the defaults are the published ones.

    Attributes:
        d_model: width of the residual stream.
        n_layers: number of transformer layers.
        n_heads: attention heads; divides d_model.
        d_ff: width of the feed-forward layers.
        dropout: dropout probability in training, 0 … 1.
        sizes: classes of each embedded field of the vocabulary, in its order.
        widths: embedding width of each embedded field, in the same order.
        initial_sizes: vocabulary sizes of (genre, key, instrument).
        initial_width: embedding width of each of these.
        meter: tell the place in the bar and in the phrase, too, by sinusoids of their periods. The
            published model has only those of the absolute tick, whose periods fit no bar.
        windowed: layers, counted from 0, whose attention is softmax over the last words in place of
            linear attention over all; the published model has none.
        window: these words.
        chain: width of the layers by which the head of an attribute knows those drawn before it; 0
            is the published model, whose heads know the type alone.
    """

    d_model: int = 512
    n_layers: int = 12
    n_heads: int = 8
    d_ff: int = 2048
    dropout: float = 0.1
    sizes: tuple[int, ...] = PUBLISHED.sizes
    widths: tuple[int, ...] = PUBLISHED.widths
    initial_sizes: tuple[int, ...] = INITIAL_SIZES
    initial_width: int = INITIAL_WIDTH
    meter: bool = False
    windowed: tuple[int, ...] = ()
    window: int = 256
    chain: int = 0

    @property
    def vocabulary(self) -> Vocabulary:
        """What its words tell: the fields that it has sizes of.

        Raises:
            ValueError: there is no vocabulary of so many.
        """
        for vocabulary in VOCABULARIES.values():
            if len(vocabulary.embedded) == len(self.sizes):
                return vocabulary
        raise ValueError(f"no vocabulary has {len(self.sizes)} fields")

    @property
    def has_keys(self) -> bool:
        """Whether the model is told the key of a song."""
        return self.initial_sizes[INITIAL_PARAMETERS.index("key")] > 1

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> CMTConfig:
        """Read the sizes from weights under the original's names.

        Raises:
            KeyError: a parameter of the model is missing.
        """
        tables = [
            state[f"encoder_emb_{field.parameter}.lut.weight"] for field in PUBLISHED.embedded
        ]
        initial = [state[f"init_emb_{name}.lut.weight"] for name in INITIAL_PARAMETERS]
        prefix = "transformer_encoder.layers."
        layers = {key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)}
        d_ff, d_model = state["transformer_encoder.layers.0.linear1.weight"].shape
        return cls(
            d_model=d_model,
            n_layers=len(layers),
            n_heads=max(1, d_model // HEAD_WIDTH),
            d_ff=d_ff,
            sizes=tuple(table.shape[0] for table in tables),
            widths=tuple(table.shape[1] for table in tables),
            initial_sizes=tuple(table.shape[0] for table in initial),
            initial_width=initial[0].shape[1],
        )
