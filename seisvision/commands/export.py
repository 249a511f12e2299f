"""Write a network for another program, and check that it says there what it says here.

RUN is a run folder or a checkpoint. With --to torchscript, onnx or safetensors, OUT.pt, OUT.onnx or OUT.safetensors is
written, and OUT.md, a card that says what the network reads, says, learnt from and is worth. Networks of single
stations take waveforms, with their view inside; others the pictures that their view draws. With --to checkpoint,
OUT.ckpt is for this program elsewhere: weights in half precision, no folders of this machine. With --to seisbench,
OUT.pt.v1 and OUT.json.v1 are written, which seisbench.models.PhaseNet.load(OUT, version_str="1") opens; only networks
of model=unet1d, or published weights, can go there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say

FORMATS = ("torchscript", "onnx", "safetensors", "checkpoint", "seisbench")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision export``."""
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder, checkpoint or weights")
    parser.add_argument("--to", choices=FORMATS, required=True, help="for which program")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="beginning of the paths to write")
    parser.add_argument("--licence", metavar="TEXT", help="licence and citation, for the card")
    parser.add_argument("--rate", type=float, metavar="HZ", help="of waveforms, where the training does not say it")


def run(args: argparse.Namespace) -> int:
    """Write, and print the paths."""
    from seisvision.errors import ConfigurationError
    from seisvision.experiments.supervised.exporting import export_network
    from seisvision.experiments.waveforms.pickers import export_to_seisbench
    from seisvision.files import check_writable_file

    check_writable_file(args.out, "--out")
    if args.to == "seisbench":
        written = export_to_seisbench(args.run, args.out)
    else:
        if args.rate is not None and not args.rate > 0:
            raise ConfigurationError(f"--rate {args.rate:g} is not allowed; give a sampling rate in Hz, above 0.")
        written = export_network(args.run, args.to, args.out, args.rate, args.licence)
    for path in written:
        say(str(path))
    return 0
