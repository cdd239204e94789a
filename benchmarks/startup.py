"""How long does a script take to say --help, next to `python -c "import torch"`?

Runs every script of src/, in rounds taken in turn, so that a busy machine slows all alike. The last
line is the ratio of the slowest script to importing torch.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from cmt.files import REPOSITORY

ROUNDS = 5
SOURCE = REPOSITORY / "src"


def seconds(command: list[str]) -> float:
    """Wall time of a command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print a table and the ratio."""
    commands = {"import torch": [sys.executable, "-c", "import torch"]}
    for folder in (SOURCE, SOURCE / "video2npz"):
        for script in sorted(folder.iterdir()):
            if script.suffix in (".py", ".sh"):
                start = [sys.executable] if script.suffix == ".py" else []
                name = str(script.relative_to(SOURCE))
                commands[name] = [*start, str(script), "--help"]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            times[name].append(seconds(command))
    print(f"{'':<28}{'median s':>9}{'best s':>9}")
    for name, taken in times.items():
        print(f"{name:<28}{statistics.median(taken):>9.3f}{min(taken):>9.3f}")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    floor = medians.pop("import torch")
    slowest = max(medians, key=medians.__getitem__)
    print(
        f"ratio, the slowest (--help of {slowest}) to import torch: {medians[slowest] / floor:.2f}"
    )


if __name__ == "__main__":
    main()
