"""Make one chunked waveform set of the shards that 'seisvision data import --shard' wrote."""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("shards", metavar="NAME.shards", help="folder of the shards")
    parser.add_argument("--out", metavar="DIR", help="folder of the set (default: NAME)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing set")


def run(args: argparse.Namespace) -> int:
    """Merge, and print the path of the set last."""
    from seisvision.data.importing.shards import merge_shards
    from seisvision.data.sets.waveform_set import WaveformSet
    from seisvision.files import check_writable

    check_writable(Path(args.out or args.shards).absolute().parent, "--out")
    path = merge_shards(args.shards, args.out, args.overwrite)
    merged = WaveformSet(path)
    say(f"{len(merged)} events, {len(merged.table)} traces")
    say(path)
    return 0
