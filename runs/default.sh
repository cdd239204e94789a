#!/usr/bin/env bash
# The default model, from the free music to exp/default/.
#
#   runs/default.sh FOLDER    a folder with free.tar.xz and free.csv
#
# Takes the songs in 4/4 that lie on the grid and have three or more of the five instruments;
# FOLDER is not changed. About 75 minutes on one core.
set -euo pipefail
music=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3

mkdir -p dataset/free
tar -xJf "$music/free.tar.xz" -C dataset/free

$python - "$music/free.csv" <<'PYTHON'
"""Keep the songs to learn from; list them, and credit them in exp/default/SOURCES.md."""
import csv
import itertools
import sys
from pathlib import Path

with open(sys.argv[1], newline="") as file:
    songs = [
        song
        for song in csv.DictReader(file)
        if song["is_44"] == "1" and float(song["grid_fit"] or 0) >= 0.8
        and int(song["n_families"]) >= 3
    ]
kept = {song["path"] for song in songs}
for midi in Path("dataset/free").rglob("*.mid"):
    if midi.relative_to("dataset/free").as_posix() not in kept:
        midi.unlink()
lines = ["# Music that the default model learned from", ""]
for (source, licence), group in itertools.groupby(songs, lambda s: (s["source"], s["licence"])):
    lines += [f"## {source}: {licence}", ""]
    lines += [f"- {s['origin_repo']}: {s['origin_path']}" for s in group]
    lines.append("")
Path("exp/default/SOURCES.md").write_text("\n".join(lines), encoding="utf-8")
PYTHON

$python src/midi2numpy_mix.py --midi_dir dataset/free --out_name free.npz --metadata "$music/free.csv"
$python src/train.py -n default_run -t dataset/free.npz \
    --d_model 256 --n_layers 4 --n_heads 4 --d_ff 1024 \
    -e 10 -b 3 -l 1e-3 --warmup 200 --max_len 2048 --transpose 6 --drop_track 0.1

# Half the bytes, and nothing but the model.
$python - <<'PYTHON'
import torch

from cmt import checkpoint

model, extra = checkpoint.load("exp/default_run")
keep = ("step", "epoch", "loss", "data", "git")
name = checkpoint.find("exp/default_run").name
checkpoint.save(f"exp/default/{name}", model, torch.bfloat16, **{k: extra[k] for k in keep})
PYTHON
