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
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from cmt.files import DATASET, EXPERIMENTS, LOGS, InputError
from cmt.script import between, parser, run_script
from cmt.vocabulary import MAX_WORDS


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and the module's commands as they are written."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__, HelpFormatter)
    count = between(1, kind=int)
    add = options.add_argument
    add("-n", "--name", required=True, help="name of the run")
    default_data = DATASET / "lpd_5_prcem_mix_v8_10000.npz"
    add("-t", "--train_data", type=Path, default=default_data, help="data set of words")
    add("-p", "--path", type=Path, help="checkpoint to start from, ours or the original's")
    add("-l", "--lr", type=between(0, inclusive="left"), default=1e-4, help="peak learning rate")
    add("-b", "--batch_size", type=count, default=6, help="songs per step, over all GPUs")
    add("-e", "--epochs", type=count, default=100, help="in all")
    add("-g", "--gpus", type=int, nargs="+", help="GPU numbers; default: one if there is one")
    add("--resume", action="store_true", help="go on from exp/NAME/last.pt")
    add("--exp_dir", type=Path, default=EXPERIMENTS, help="folder of checkpoints")
    add("--log_dir", type=Path, default=LOGS, help="folder of logs")
    add("--seed", type=int, default=0, help="of all that is random")
    data = options.add_argument_group("data")
    add = data.add_argument
    add("--val_fraction", type=float, default=0.05, help="share of songs held out")
    add("--max_len", type=count, default=MAX_WORDS, help="longest crop, words")
    add("--transpose", type=int, default=0, help="move pitched tracks by −N … N − 1 semitones")
    add("--drop_track", type=float, default=0.0, help="probability of losing a track")
    add("--unconditioned", type=float, default=0.1, help="share of songs without initial tokens")
    add("--excerpts", type=float, default=0.0, help="share of songs cut to some bars of them")
    add("--workers", type=int, default=0, help="loading processes")
    model = options.add_argument_group("model (ignored with -p and --resume)")
    add = model.add_argument
    add("--d_model", type=count, default=512, help="width")
    add("--n_layers", type=count, default=12, help="layers")
    add("--n_heads", type=count, default=8, help="attention heads")
    add("--d_ff", type=count, default=2048, help="width of the feed-forward layers")
    add("--meter", action="store_true", help="also tell the place in the bar and in four bars")
    step = options.add_argument_group("step")
    add = step.add_argument
    add("--warmup", type=int, default=100, help="steps of rising learning rate")
    dropout_help = "probability; default: the checkpoint's with -p, else 0.1; not with --resume"
    add("--dropout", type=between(0, 1, inclusive="left"), help=dropout_help)
    add("--weight_decay", type=float, default=0.01, help="of weight matrices")
    add("--muon", action="store_true", help="train the layers' matrices with Muon: fewer epochs")
    add("--micro_batch", type=count, help="songs per forward pass; default: the whole batch")
    add(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="auto: bfloat16 where the device has it",
    )
    add("--checkpoint_activations", action="store_true", help="less memory, a third more time")
    add("--compile", action="store_true", help="use torch.compile; for GPUs, takes minutes")
    add("--save_minutes", type=float, default=10.0, help="time between checkpoints")
    args = options.parse_args(argv)
    if Path(args.name).name != args.name:
        options.error("-n: give a name, not a path; --exp_dir and --log_dir say where")
    if args.d_model % (2 * args.n_heads):
        options.error("--d_model: give an even multiple of --n_heads")
    return args


def main(argv: list[str] | None = None) -> None:
    """Train as the command line says."""
    args = parse(argv)
    import torch

    from cmt.distributed import launch

    if args.gpus and not torch.cuda.is_available():
        raise InputError(f"--gpus {args.gpus}: no CUDA device here; leave --gpus out for the CPU")
    if args.gpus and len(args.gpus) > 1 and "WORLD_SIZE" not in os.environ:
        launch(run, args.gpus, args)
    else:
        run(args)


def run(args: argparse.Namespace) -> None:
    """One rank's whole run."""
    import torch

    from cmt import checkpoint
    from cmt.dataset import read_dataset
    from cmt.distributed import joined
    from cmt.files import checksum, git_revision
    from cmt.model import CMT, CMTConfig
    from cmt.songs import Augmentation, Songs, batches, padding_share, split
    from cmt.training import TrainingConfig, check_room, has_bf16, train
    from cmt.training_log import TrainingLog

    cuda = torch.cuda.is_available()
    device = torch.device("cuda", args.gpus[0] if args.gpus else 0) if cuda else torch.device("cpu")
    folder = args.exp_dir / args.name
    last = folder / checkpoint.LAST
    if args.resume and not last.is_file():
        raise InputError(f"{last}: there is no run to go on with; leave out --resume")
    if last.is_file() and not args.resume:
        raise InputError(f"{last}: a run of this name exists; choose another -n, or --resume it")
    data = read_dataset(args.train_data)
    genres = [entry.get("genre") for entry in data.metadata]
    kept, held_out = split(data.metadata, args.val_fraction, args.seed)
    training, validation = (
        Songs(
            [data.words[song] for song in songs],
            [genres[song] for song in songs],
            args.max_len,
            augmentation,
            args.seed,
        )
        for songs, augmentation in (
            (
                kept,
                Augmentation(args.transpose, args.drop_track, args.unconditioned, args.excerpts),
            ),
            (held_out, None),
        )
    )
    config = TrainingConfig(
        lr=args.lr,
        warmup=args.warmup,
        weight_decay=args.weight_decay,
        muon=args.muon,
        batch_size=args.batch_size,
        micro_batch=args.micro_batch or args.batch_size,
        epochs=args.epochs,
        seed=args.seed,
        bf16=has_bf16(device) if args.precision == "auto" else args.precision == "bfloat16",
        checkpoint_activations=args.checkpoint_activations,
        compile=args.compile,
        save_minutes=args.save_minutes,
        workers=args.workers,
    )
    # What decides which words a step sees: a resumed run must agree.
    source = {
        "name": args.train_data.name,
        "sha256": checksum(args.train_data),
        "val_fraction": args.val_fraction,
        "max_len": args.max_len,
        "transpose": args.transpose,
        "drop_track": args.drop_track,
        "unconditioned": args.unconditioned,
        "excerpts": args.excerpts,
        "seed": args.seed,
        "batch_size": args.batch_size,
    }
    with joined(device) as ranks:
        resumed = None
        if args.resume:
            model, resumed = checkpoint.load(last, ranks.device)
            for key, value in source.items():
                if resumed["data"].get(key) != value:
                    raise InputError(
                        f"{last}: was trained with {key} {resumed['data'].get(key)}, not {value};"
                        " resume it with the same data and options, or start anew with -p"
                    )
        elif args.path:
            start, _ = checkpoint.load(args.path)
            dropout = start.config.dropout if args.dropout is None else args.dropout
            model = CMT(replace(start.config, dropout=dropout))
            model.load_state_dict(start.state_dict())
            model.to(ranks.device)
        else:
            torch.manual_seed(args.seed)
            config_of_model = CMTConfig(
                d_model=args.d_model,
                n_layers=args.n_layers,
                n_heads=args.n_heads,
                d_ff=args.d_ff,
                dropout=0.1 if args.dropout is None else args.dropout,
                meter=args.meter,
            )
            model = CMT(config_of_model).to(ranks.device)
        if ranks.first:
            check_room(folder, model)
            log = TrainingLog(args.log_dir, args.name, args.resume)
            size = sum(parameter.numel() for parameter in model.parameters())
            padding = padding_share(
                training.lengths, batches(training.lengths, config.batch_size, config.seed)
            )
            log.write(f"{args.name}: {size:,} parameters, {model.config}")
            log.write(f"{config}, {ranks.world} × {ranks.device.type}, git {git_revision()}")
            log.write(
                f"{args.train_data} sha256 {source['sha256'][:16]}: {len(kept)} songs"
                f" in {len(training)} crops, {training.lengths.sum():,} words,"
                f" {padding:.1%} padding; {len(held_out)} held out"
            )
        progress = train(
            model,
            training,
            validation if held_out else None,
            config,
            ranks,
            folder,
            resumed,
            on_epoch=log.epoch if ranks.first else lambda progress: None,
            git=git_revision(),
            data=source,
        )
        if ranks.first:
            end = "done" if progress.epoch >= config.epochs else "stopped"
            log.write(f"{end} after {progress.epoch} epochs, step {progress.step}: {folder}")


command = partial(run_script, main)

if __name__ == "__main__":
    sys.exit(command())
