#!/usr/bin/env bash
# The default model, from the free music to exp/default/.
#
#   runs/default.sh FOLDER    a folder with free, more and synthetic (.tar.xz and .csv) and
#                             progressions.csv; needs mma (apt-get install mma)
#
# FOLDER is not changed. Minutes on a data centre's GPU, a day or two without one, where --d_model 256
# and --d_ff 1024 are enough; a stopped training goes on with --resume.
set -euo pipefail
music=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3

# What is kept, cut, cleaned and held out is said there.
$python runs/default_data.py "$music" dataset/default
$python runs/arranged_data.py "$music" dataset/default/midi/arranged --count 3400
# One table of both, in which an epoch has found pieces twice. Arranged pieces that are held out are
# put aside, so that the losses are those of found music.
$python - <<'PYTHON'
import csv
from pathlib import Path

aside = Path("dataset/default/held_out")
rows = list(csv.DictReader(open("dataset/default/songs.csv", newline="")))
for row in rows:
    row["repeats"] = "1" if row["path"].startswith(("groove", "mma")) else "2"
for row in csv.DictReader(open("dataset/default/midi/arranged/songs.csv", newline="")):
    if row["held_out"]:
        (aside / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        Path("dataset/default/midi/arranged/midi", row["path"]).rename(aside / row["path"])
        continue
    row["path"] = f"arranged/midi/{row['path']}"
    rows.append({**{name: row.get(name, "") for name in rows[0]}, "repeats": "1"})
with open("dataset/default/all.csv", "w", newline="") as file:
    table = csv.DictWriter(file, rows[0])
    table.writeheader()
    table.writerows(rows)
PYTHON
$python src/midi2numpy_mix.py --midi_dir dataset/default/midi --out_name default.npz \
    --metadata dataset/default/all.csv --vocabulary own

# Without --meter a model of this size spends its training on finding out where in the bar it is;
# without windows it cannot count.
$python src/train.py -n default_own -t dataset/default.npz --vocabulary own --meter \
    --keys --chain 256 --windowed 1 3 5 --d_model 384 --n_layers 6 --n_heads 6 --d_ff 1440 \
    --dropout 0.15 -e 21 -b 32 -l 2e-3 --muon --weight_decay 0.1 --transpose 6 --drop_track 0.15 \
    --untold 0.3 --excerpts 0.6 --workers 14

# A quarter of the bytes, and nothing but the model.
rm -f exp/default/loss_*_params.pt
$python - <<'PYTHON'
import torch

from cmt.model import checkpoint, stored

model, extra = checkpoint.load("exp/default_own")
keep = ("step", "epoch", "loss", "data", "git")
name = stored.find("exp/default_own").name
checkpoint.save(f"exp/default/{name}", model, torch.int8, **{k: extra[k] for k in keep})
PYTHON
cat dataset/default/SOURCES.md dataset/default/midi/arranged/CREDITS.md > exp/default/SOURCES.md

# Whether the weights of voicing still fit. They were fitted to the model of 5.3 million parameters:
# what this one leaves to them by likelihood is too little to hold it to chords that were decided,
# or asked for, and not found in its own notes.
$python runs/fit_voicing.py exp/default dataset/default.npz > dataset/voicing.csv
# Those of the critic need rhythms of some videos (video2npz.py) to make music for.
[ -z "${RHYTHMS:-}" ] ||
    $python runs/fit_critic.py exp/default dataset/default.npz $RHYTHMS > dataset/critic.csv
