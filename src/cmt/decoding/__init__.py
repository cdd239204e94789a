"""Controlled decoding: control words and a model in, words of a piece out.

`engine` steps the model over a batch of songs; a `loop` per song says what may come (`exact` with
its `ending`, or `original`); a `drawing` per batch chooses among that: from the model alone, or
with what `recall` kept of the bars that return.
"""

LOOPS = ("exact", "original")  # by name
# How far a genre leads, of `cmt.decoding.guidance`: by default, and at most.
GUIDANCE, MOST_GUIDANCE = 4.0, 10.0
