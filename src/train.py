"""Train the music transformer on a data set of compound words.

    train.py -n NAME -t dataset/lpd_5.npz -b 6 -l 1e-4 -e 100      one device
    train.py -n NAME -t dataset/lpd_5.npz -g 0 1 2 3               GPUs of this machine
    torchrun --nnodes 2 --nproc_per_node 4 … train.py -n NAME …    several machines
    train.py -n NAME -t dataset/lpd_5.npz --resume                 go on after a stop

Checkpoints go to exp/NAME/ (last.pt, and loss_NN_params.pt with the lowest validation loss in
hundredths), the log, a table and curves to logs/NAME.{log,csv,png}.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from cmt import limits
from cmt.files import DATASET
from cmt.model.config import CMTConfig
from cmt.music.vocabulary import (
    INITIAL_SIZES,
    INITIAL_SIZES_WITH_KEYS,
    MAX_WORDS,
    PUBLISHED,
    VOCABULARIES,
)
from cmt.script import between, parser, run_script
from cmt.training.config import Augmentation, RunConfig, TrainingConfig
from cmt.training.place import check_name


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and the module's commands as they are written."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__, HelpFormatter)
    count, natural = between(1, kind=int), between(0, kind=int)
    width, most_layers, most_workers = between(1, 2**16, int), 1024, 256
    below_one = between(0, 1, inclusive="left")
    share = between(0, 1)
    add = options.add_argument
    add("-n", "--name", required=True, help="name of the run")
    default_data = DATASET / "lpd_5_prcem_mix_v8_10000.npz"
    add("-t", "--train_data", type=Path, default=default_data, help="data set of words")
    add("-p", "--path", type=Path, help="checkpoint to start from, ours or the original's")
    rate = between(0, 1e38)  # of float32
    add("-l", "--lr", type=rate, default=TrainingConfig.lr, help="peak learning rate")
    batch_size = TrainingConfig.batch_size
    add("-b", "--batch_size", type=count, default=batch_size, help="songs per step, over all GPUs")
    add("-e", "--epochs", type=count, default=TrainingConfig.epochs, help="in all")
    add("-g", "--gpus", type=natural, nargs="+", help="GPU numbers; default: one if there is one")
    add("--resume", action="store_true", help="go on from exp/NAME/last.pt")
    add("--exp_dir", type=Path, default=RunConfig.exp_dir, help="folder of checkpoints")
    add("--log_dir", type=Path, default=RunConfig.log_dir, help="folder of logs")
    add("--seed", type=natural, default=TrainingConfig.seed, help="of all that is random")
    data = options.add_argument_group("data")
    add = data.add_argument
    held_out = RunConfig.val_fraction
    add(
        "--val_fraction",
        type=below_one,
        default=held_out,
        help="share of songs held out",
    )
    add("--max_len", type=count, default=RunConfig.max_len, help="longest crop, words")
    add(
        "--transpose",
        type=between(0, 24, int),
        default=Augmentation.transpose,
        help="move pitched tracks by −N … N − 1 semitones",
    )
    add(
        "--drop_track",
        type=share,
        default=Augmentation.drop_track,
        help="probability of losing a track",
    )
    add(
        "--unconditioned",
        type=share,
        default=Augmentation.unconditioned,
        help="share of songs without initial tokens",
    )
    add(
        "--untold",
        type=share,
        default=Augmentation.untold,
        help="share of songs without genre, and of those without key",
    )
    add(
        "--excerpts",
        type=share,
        default=Augmentation.excerpts,
        help="share of songs cut to some bars of them",
    )
    add(
        "--workers",
        type=between(0, most_workers, int),
        default=TrainingConfig.workers,
        help="loading processes",
    )
    limits.add_options(options, "--max-megabytes")
    model = options.add_argument_group("model (ignored with -p and --resume)")
    add = model.add_argument
    add("--d_model", type=width, default=CMTConfig.d_model, help="width")
    add("--n_layers", type=between(1, most_layers, int), default=CMTConfig.n_layers, help="layers")
    add("--n_heads", type=width, default=CMTConfig.n_heads, help="attention heads")
    add("--d_ff", type=width, default=CMTConfig.d_ff, help="width of the feed-forward layers")
    own = "own: also how loud each note is, of data made so"
    add("--vocabulary", choices=VOCABULARIES, default=PUBLISHED.name, help=own)
    add("--meter", action="store_true", help="also tell the place in the bar and in four bars")
    add("--keys", action="store_true", help="also tell the key of a song")
    windowed = "layers, from 1 on, of softmax attention over the last --window words"
    add("--windowed", type=count, nargs="+", default=[], help=windowed)
    add("--window", type=between(1, MAX_WORDS, int), default=CMTConfig.window, help="words")
    chain = "width of heads that know the attributes drawn before; 0: the published heads"
    add("--chain", type=between(0, 2**16, int), default=CMTConfig.chain, help=chain)
    step = options.add_argument_group("step")
    add = step.add_argument
    add(
        "--warmup",
        type=natural,
        default=TrainingConfig.warmup,
        help="steps of rising learning rate",
    )
    dropout = CMTConfig.dropout
    add(
        "--dropout",
        type=below_one,
        help=f"probability; default: the checkpoint's with -p, else {dropout}; not with --resume",
    )
    add(
        "--weight_decay",
        type=rate,
        default=TrainingConfig.weight_decay,
        help="of weight matrices",
    )
    add("--muon", action="store_true", help="train the layers' matrices with Muon: fewer epochs")
    add("--micro_batch", type=count, help="songs per forward pass; default: the whole batch")
    add(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default=RunConfig.precision,
        help="auto: bfloat16 where the device has it",
    )
    add("--checkpoint_activations", action="store_true", help="less memory, a third more time")
    add("--compile", action="store_true", help="use torch.compile; for GPUs, takes minutes")
    add(
        "--save_minutes",
        type=between(0, 1e6),
        default=TrainingConfig.save_minutes,
        help="time between checkpoints",
    )
    args = options.parse_args(argv)
    if Path(args.name).name != args.name or args.name == "..":
        options.error("-n: give a name, not a path; --exp_dir and --log_dir say where")
    multiple = 4 if args.windowed else 2
    if args.d_model % (multiple * args.n_heads):
        options.error(f"--d_model: give a multiple of {multiple} times --n_heads")
    if max(args.windowed, default=0) > args.n_layers:
        options.error("--windowed: give layers up to --n_layers")
    return args


def config_of(args: argparse.Namespace) -> RunConfig:
    """What the command line asks for."""
    vocabulary = VOCABULARIES[args.vocabulary]
    return RunConfig(
        name=args.name,
        data=args.train_data,
        model=CMTConfig(
            d_model=args.d_model,
            n_layers=args.n_layers,
            n_heads=args.n_heads,
            d_ff=args.d_ff,
            dropout=CMTConfig.dropout if args.dropout is None else args.dropout,
            sizes=vocabulary.sizes,
            widths=vocabulary.widths,
            initial_sizes=INITIAL_SIZES_WITH_KEYS if args.keys else INITIAL_SIZES,
            meter=args.meter,
            windowed=tuple(layer - 1 for layer in args.windowed),
            window=args.window,
            chain=args.chain,
        ),
        training=TrainingConfig(
            lr=args.lr,
            warmup=args.warmup,
            weight_decay=args.weight_decay,
            muon=args.muon,
            batch_size=args.batch_size,
            micro_batch=args.micro_batch or args.batch_size,
            epochs=args.epochs,
            seed=args.seed,
            checkpoint_activations=args.checkpoint_activations,
            compile=args.compile,
            save_minutes=args.save_minutes,
            workers=args.workers,
        ),
        augmentation=Augmentation(
            transpose=args.transpose,
            drop_track=args.drop_track,
            unconditioned=args.unconditioned,
            untold=args.untold,
            excerpts=args.excerpts,
        ),
        val_fraction=args.val_fraction,
        max_len=args.max_len,
        max_megabytes=args.max_megabytes,
        start=args.path,
        dropout=args.dropout,
        resume=args.resume,
        gpus=tuple(args.gpus or ()),
        precision=args.precision,
        exp_dir=args.exp_dir,
        log_dir=args.log_dir,
    )


def main(argv: list[str] | None = None) -> None:
    """Train as the command line says."""
    config = config_of(parse(argv))
    # What is wrong with a name or with data is told before PyTorch is loaded, which takes longer.
    check_name(config)

    from cmt.music.dataset import read_dataset
    from cmt.training.held_out import parts

    data = read_dataset(config.data, config.max_megabytes)
    parts(config, data)

    from cmt.training.run import run

    run(config, data)


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
