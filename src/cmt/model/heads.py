"""What comes next, from a hidden state: the attributes of a word, one after another.

The published model says the type first, and the other six attributes from the hidden state and the
type alone, each by itself (paper section 4.2). Where the music may go on in several ways, at this
tick with the guitar or at the next with the drums, attributes drawn by themselves mix them. The
heads of a `Chain` know every attribute drawn before.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cmt.model.config import CMTConfig
from cmt.music.vocabulary import FIELD, MODEL_COLUMN


class Chain(nn.Module):
    """Heads that know the attributes before them, in the order of the vocabulary's `drawn`.

    p(word) = Π p(attribute | hidden state, attributes before): a layer for each attribute adds
    what the hidden state and each earlier attribute say, then SiLU, then a linear head.

    Args:
        config: the sizes; `config.chain` is the width of these layers.
    """

    def __init__(self, config: CMTConfig) -> None:
        super().__init__()
        self.width = config.chain
        vocabulary = config.vocabulary
        self.drawn = vocabulary.drawn
        size = dict(zip((f.name for f in vocabulary.embedded), config.sizes, strict=True))
        self.hidden = nn.Linear(config.d_model, len(self.drawn) * self.width)
        for name in self.drawn[:-1]:
            table = nn.Embedding(size[name], len(self.drawn) * self.width)
            nn.init.normal_(table.weight, std=0.5)
            self.add_module(f"after_{FIELD[name].parameter}", table)
        for name in self.drawn:
            self.add_module(f"proj_{FIELD[name].parameter}", nn.Linear(self.width, size[name]))

    def table(self, name: str) -> nn.Embedding:
        """What each class of an attribute says to all heads, (classes, heads · width)."""
        table = self.get_submodule(f"after_{FIELD[name].parameter}")
        assert isinstance(table, nn.Embedding)
        return table

    def head(self, name: str) -> nn.Linear:
        """The last layer of an attribute."""
        head = self.get_submodule(f"proj_{FIELD[name].parameter}")
        assert isinstance(head, nn.Linear)
        return head

    def forward(self, hidden: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Logits of each attribute of words, given those before it.

        Args:
            hidden: (…, d_model).
            targets: (…, fields) the words.

        Returns:
            Field name → (…, vocabulary size).
        """
        heads = self.hidden(hidden).unflatten(-1, (len(self.drawn), self.width)).unbind(-2)
        known: list[list[Tensor]] = [[] for _ in self.drawn]
        result = {}
        for place, name in enumerate(self.drawn):
            x = torch.stack([heads[place], *known[place]]).sum(0)
            result[name] = self.head(name)(F.silu(x))
            if place < len(self.drawn) - 1:
                said = F.embedding(targets[..., MODEL_COLUMN[name]], self._later(name, place))
                said = said.unflatten(-1, (-1, self.width)).to(x.dtype)
                for later, vector in enumerate(said.unbind(-2), start=place + 1):
                    known[later].append(vector)
        return result

    def _later(self, name: str, place: int) -> Tensor:
        """Of an attribute's table, what is said to the heads after it."""
        return self.table(name).weight[:, (place + 1) * self.width :]
