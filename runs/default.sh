#!/usr/bin/env bash
# The default model, from the free music to exp/default/.
#
#   runs/default.sh FOLDER    a folder with free.tar.xz, free.csv, synthetic.tar.xz, synthetic.csv
#
# FOLDER is not changed. Three hours or so on one core; a stopped training goes on with --resume.
set -euo pipefail
music=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3

# What is kept, cut, cleaned and held out is said there.
$python runs/default_data.py "$music" dataset/default
$python src/midi2numpy_mix.py --midi_dir dataset/default/midi --out_name default.npz \
    --metadata dataset/default/songs.csv

# Without --meter a model of this size spends its training on finding out where in the bar it is.
$python src/train.py -n default_crops -t dataset/default.npz --meter \
    --d_model 256 --n_layers 6 --n_heads 4 --d_ff 1024 --dropout 0.1 \
    -e 7 -b 2 -l 2e-3 --muon --max_len 1536 --transpose 6 --drop_track 0.1
# Crops are learned from faster, but what is beyond their length is learned from whole songs only.
$python src/train.py -n default_whole -t dataset/default.npz -p exp/default_crops --dropout 0.05 \
    -e 9 -b 1 -l 1.5e-3 --weight_decay 0.1 --muon --transpose 6 --drop_track 0.1
# Videos are shorter than songs: pieces of some bars, which begin as the middle of a song does.
$python src/train.py -n default_excerpts -t dataset/default.npz -p exp/default_whole \
    --dropout 0.05 -e 2 -b 2 -l 5e-4 --weight_decay 0.1 --muon --transpose 6 --drop_track 0.1 \
    --excerpts 0.7

# Half the bytes, and nothing but the model.
rm -f exp/default/loss_*_params.pt
$python - <<'PYTHON'
import torch

from cmt.model import checkpoint

model, extra = checkpoint.load("exp/default_excerpts")
keep = ("step", "epoch", "loss", "data", "git")
name = checkpoint.find("exp/default_excerpts").name
checkpoint.save(f"exp/default/{name}", model, torch.bfloat16, **{k: extra[k] for k in keep})
PYTHON
cp dataset/default/SOURCES.md exp/default/

# Which notes suit which chords, and whether the weights of cmt/decoding/ still fit.
$python runs/fit_voicing.py exp/default dataset/default.npz > dataset/voicing.csv
mv dataset/voicing.csv src/cmt/decoding/voicing.csv
$python runs/fit_decoding.py exp/default dataset/default.npz
