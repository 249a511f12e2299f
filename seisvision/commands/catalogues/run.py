"""Make a catalogue from continuous recordings: pick, associate, locate, match, relocate, and size every event.

Each stage writes whole tables below --out and says what it dropped and why (dropped.csv). The same command goes on
after any interruption and does only what is new. Presets are in conf/catalogue: pal (rules only), network (picks of a
trained network), match (pal with matched filter and double difference), full (all of it with a network). --set changes
settings of them, such as --set pick.ckpt=runs/... match.mad=9 associate.depth_km=[0,30].
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.cataloguing.settings import CatalogueSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision catalogue run``."""
    parser.add_argument("archive", help="folder, file or pattern of the archive")
    parser.add_argument("--stations", required=True, metavar="FILE", help="StationXML or table")
    parser.add_argument("--velocity", required=True, metavar="MODEL", help="table, two numbers as 6.0,3.5, or iasp91")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the catalogue")
    parser.add_argument("--preset", default="pal", metavar="NAME", help="pal (default), network, match or full")
    parser.add_argument(
        "--set", dest="overrides", nargs="+", default=[], metavar="SETTING=VALUE", help="settings of the stages"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of this machine (1)")
    parser.add_argument("--launcher", choices=("slurm",), help="work in jobs of a cluster instead")
    parser.add_argument(
        "--launcher-set", nargs="+", default=[], metavar="KEY=VALUE", help="its settings, as of launcher=slurm"
    )
    parser.add_argument("--shares", type=int, metavar="N", help="jobs (64), or shares that the workers take in turn")
    parser.add_argument("--conf", type=Path, metavar="FOLDER", help="configurations (conf here, else the package's)")


def run(args: argparse.Namespace) -> int:
    """Do the stages, print what each came to and, last, the path of the catalogue."""
    from seisvision.cataloguing.job import CatalogueJob
    from seisvision.cataloguing.stages import check_archive, run_stages
    from seisvision.commands.pick import launching
    from seisvision.files import check_writable

    check_writable(args.out, "--out")
    settings = catalogue_settings(args.preset, args.overrides, args.conf)
    launcher, n_shares = launching(args)
    job = CatalogueJob(
        (args.archive,), args.stations, args.velocity, args.out, settings, args.device, launcher, n_shares
    )
    check_archive(job)
    done = run_stages(job)
    if done is None:
        return 0
    for stage, came_to in done.items():
        say(f"{stage}: {', '.join(f'{key} {value}' for key, value in came_to.items() if not isinstance(value, dict))}")
    say(job.table("catalogue"))
    return 0


def catalogue_settings(preset: str, overrides: list[str], conf: Path | None = None) -> CatalogueSettings:
    """Settings of a preset with what was typed behind it.

    Args:
        preset: a file of ``conf/catalogue``.
        overrides: settings as they are typed.
        conf: folder of configurations; None: ``conf`` below the current one where it has presets, else the package's.

    Raises:
        ConfigurationError: there is no such preset, or a setting is unknown or not allowed.
    """
    from hydra import compose
    from omegaconf import OmegaConf

    from seisvision.atlas.presets import configurations
    from seisvision.cataloguing.settings import CatalogueSettings
    from seisvision.errors import ConfigurationError, did_you_mean
    from seisvision.records.words.composing import CONF

    if conf is None:
        beside = Path("conf")
        conf = beside if (beside / "catalogue").is_dir() else CONF
    known = sorted(path.stem for path in (conf / "catalogue").glob("*.yaml"))
    if preset not in known:
        raise ConfigurationError(f"--preset {preset} is unknown. {did_you_mean(preset, known)}")
    with configurations(conf):
        config = compose(f"catalogue/{preset}", [f"++catalogue.{word}" for word in overrides])
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        name = missing[0].removeprefix("catalogue.")
        raise ConfigurationError(f"--preset {preset} needs {name}: add --set {name}=... to the command.")
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return CatalogueSettings.of({str(key): value for key, value in plain["catalogue"].items()})
