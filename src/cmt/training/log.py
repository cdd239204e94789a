"""What a training run leaves to look at: text, table, curves, TensorBoard."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

from cmt.files import replacing, write_together, writing_to
from cmt.training.place import log_files
from cmt.training.state import TrainingState


class TrainingLog:
    """Files NAME.log, NAME.csv and NAME.png of a run, and TensorBoard events where installed.

    Args:
        folder: where they go.
        name: of the run.
        resume: go on writing an existing log instead of starting a new one.

    Raises:
        InputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, name: str, resume: bool) -> None:
        self.text, self.table, self.picture = log_files(folder, name)
        if not (resume and self.text.is_file()):
            write_together({self.text: b""})
        self.board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        with writing_to(folder / name):
            self.board = SummaryWriter(str(folder / name))

    def write(self, line: str) -> None:
        """Print a line and append it, with the time, to the text log."""
        print(line, flush=True)
        # What a name has that is no text is written as Python would.
        with (
            writing_to(self.text),
            self.text.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def epoch(self, progress: TrainingState) -> None:
        """Record the epoch that just ended."""
        rows = [row for row in progress.history if row[0] == progress.epoch]
        values = " ".join(f"{name} {train:.3f}/{held:.3f}" for _, name, train, held in rows)
        self.write(f"epoch {progress.epoch}, step {progress.step}, train/validation: {values}")
        with (
            replacing(self.table) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["epoch", "attribute", "train_loss", "validation_loss"])
            writer.writerows(progress.history)
        self._draw(progress)
        if self.board is not None:
            with writing_to(self.text.with_suffix("")):
                for epoch, name, train, held in rows:
                    self.board.add_scalars(name, {"train": train, "validation": held}, epoch)
                self.board.flush()

    def _draw(self, progress: TrainingState) -> None:
        """Draw a panel of training and validation curves per attribute and for their mean."""
        from matplotlib.figure import Figure

        names = progress.names
        columns = math.ceil(len(names) / 2)
        figure = Figure(figsize=(3 * columns, 5.5), layout="constrained")
        for index, name in enumerate(names, start=1):
            axes = figure.add_subplot(2, columns, index)
            epochs, train, held = zip(
                *((e, a, b) for e, n, a, b in progress.history if n == name), strict=True
            )
            axes.plot(epochs, train, label="training")
            axes.plot(epochs, held, label="validation")
            axes.set_title(name)
            axes.grid(alpha=0.3)
            if index > columns:
                axes.set_xlabel("epoch")
            if index in (1, columns + 1):
                axes.set_ylabel("loss (nats)")
        figure.axes[0].legend()
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110)
        write_together({self.picture: content.getvalue()})
