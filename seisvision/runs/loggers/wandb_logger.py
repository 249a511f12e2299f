"""Weights & Biases, online or offline."""

from __future__ import annotations

import contextlib
import logging
import netrc
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.utilities import rank_zero_only

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.records.environment import remote_address
from seisvision.runs.loggers.dashboard import MOST_ROWS, Dashboard, guarded
from seisvision.secrets_kept import out_of_environment

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline", "disabled")
MODELS = (False, "best", "all")
STEP = "trainer/step"
LONGEST_END_S = 300
"""A dead network must not hold a finished run; what was not sent stays in the run folder."""


class WandbLogger(Dashboard):
    """Weights & Biases that never blocks and never fails a run.

    The W&B run id is experiment and run id, so that a resumed run continues its own curve: its steps are those of the
    optimiser, and W&B drops what it already has. Without a key, or when the server does not answer within 15 s, the run
    is stored offline in the run folder; ``wandb sync`` sends it later, all offline parts of a run into one.

    Args:
        folder: run folder; files go to its ``wandb`` sub-folder.
        run_id: id of the run.
        group: the experiment, by which runs are grouped on the dashboard.
        config: resolved configuration, shown beside the run.
        project: W&B project.
        entity: W&B team or user; ``None`` for the default of the key.
        mode: ``auto`` (online with a key, else offline), ``online``, ``offline`` or ``disabled``.
        tags: labels of the run; model, view, outputs and data set are added.
        sweep: name of a sweep: its runs are then grouped by it, and tagged with the experiment.
        job_type: kind of work, by which a group is divided.
        log_model: which checkpoints are sent as artifacts: ``False``, ``best`` or ``all`` (best and last).

    Raises:
        ConfigurationError: ``mode`` or ``log_model`` is unknown.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        group: str,
        config: dict[str, Any],
        project: str = "seisvision",
        entity: str | None = None,
        mode: str = "auto",
        tags: Sequence[str] = (),
        sweep: str | None = None,
        job_type: str = "train",
        log_model: bool | str = False,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ConfigurationError(f"logger.wandb.mode='{mode}' is unknown. {did_you_mean(mode, list(MODES))}")
        if log_model not in MODELS:
            raise ConfigurationError(f"logger.wandb.log_model={log_model} is not allowed; give false, best or all.")
        self._run_id, self._mode, self._log_model = f"{group}-{run_id}".replace("/", "-"), mode, log_model
        self._arguments: dict[str, Any] = {
            "id": self._run_id,
            "name": self._run_id,
            "resume": "allow",
            "dir": str(folder),
            "project": project,
            "entity": entity,
            "group": sweep or group,
            "job_type": job_type,
            "tags": list(dict.fromkeys([*tags, *([group] if sweep else []), *_own_tags(config)])),
            "config": config,
        }
        self._run: Any = None
        self._is_dead = mode == "disabled"

    @property
    def name(self) -> str:
        """Name of the project."""
        return str(self._arguments["project"])

    @property
    def version(self) -> str:
        """Id of the run."""
        return self._run_id

    @rank_zero_only
    def start(self) -> None:
        """Open the run, online if possible."""
        if self._run is not None or self._is_dead:
            return
        os.environ.setdefault("WANDB_SILENT", "true")
        logging.getLogger("wandb").setLevel(logging.CRITICAL)
        mode = os.environ.get("WANDB_MODE", "") if self._mode == "auto" else self._mode
        mode = mode or ("online" if _has_key() else "offline")
        if mode == "online":
            self._run = guarded("W&B", lambda: self._open("online"))
            if self._run is None:
                # The id stays taken by the failed attempt until its service is gone.
                guarded("W&B", _stop_service)
                log.warning("W&B does not answer; the run is stored offline and can be sent later with 'wandb sync'.")
        if self._run is None:
            self._run = guarded("W&B", lambda: self._open("offline" if mode == "online" else mode))
        self._is_dead = self._run is None
        if self._run is not None:
            guarded("W&B", self._tell_address)

    def _open(self, mode: Any) -> Any:
        import wandb

        settings = wandb.Settings(
            init_timeout=15,
            login_timeout=10,
            finish_timeout=LONGEST_END_S,
            silent=True,
            console="off",
            # W&B itself takes off the password, but tokens stand in the place of the user too.
            git_remote_url=remote_address(),
        )
        # Its service notes every variable of SLURM, and among them may be the key to the cluster (SLURM_JWT).
        with out_of_environment("SLURM"):
            run = wandb.init(mode=mode, settings=settings, **self._arguments)
        run.define_metric(STEP)
        run.define_metric("*", step_metric=STEP)
        return run

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Send the values of one optimiser step."""
        self.start()
        if self._run is not None:
            guarded("W&B", lambda: self._run.log({**metrics, STEP: step}, step=step))

    @rank_zero_only
    def log_summary(self, values: dict[str, Any]) -> None:
        """Store final values beside the curves."""
        self.start()
        if self._run is not None:
            guarded("W&B", lambda: self._run.summary.update(values))

    @rank_zero_only
    def log_pictures(self, files: Sequence[Path]) -> None:
        """Send figures as images, named by their file names."""
        self.start()
        if self._run is not None and files:
            import wandb

            guarded("W&B", lambda: self._run.log({file.stem: wandb.Image(str(file)) for file in files}))

    @rank_zero_only
    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Send a table under ``table/<name>``, pictures as images."""
        self.start()
        if self._run is None or not rows:
            return
        import wandb

        def cell(value: Any) -> Any:
            return wandb.Image(str(value)) if isinstance(value, Path) else value

        def send() -> None:
            data = [[cell(value) for value in row] for row in rows[:MOST_ROWS]]
            table = wandb.Table(columns=list(columns), data=data, allow_mixed_types=True)
            with self._staged_in_run_folder():
                self._run.log({f"table/{name}": table})

        guarded("W&B", send)

    @rank_zero_only
    def log_model(self, path: Path, aliases: Sequence[str]) -> None:
        """Send a checkpoint as a version of the artifact ``model-<run>``, where ``log_model`` asks for it."""
        self.start()
        if self._run is None or not self._log_model or (self._log_model == "best" and "best" not in aliases):
            return
        import wandb

        def send() -> None:
            artifact = wandb.Artifact(f"model-{self._run_id}", "model", metadata={"run": self._run_id})
            # Not copied: it lies in the run folder already, from where an offline run sends it later.
            artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
            with self._staged_in_run_folder():
                self._run.log_artifact(artifact, aliases=list(aliases))

        guarded("W&B", send)

    @contextlib.contextmanager
    def _staged_in_run_folder(self) -> Iterator[None]:
        """Keep what an offline run sends later beside it: W&B's own place in the home directory may be cleaned."""
        if "WANDB_DATA_DIR" in os.environ:
            yield
            return
        os.environ["WANDB_DATA_DIR"] = str(Path(self._arguments["dir"]).resolve() / "wandb")
        try:
            yield
        finally:
            del os.environ["WANDB_DATA_DIR"]

    @rank_zero_only
    def close(self, succeeded: bool) -> None:
        """End the run on the dashboard."""
        if self._run is not None:
            kept = guarded("W&B", self._kept_offline)
            guarded("W&B", lambda: self._run.finish(exit_code=0 if succeeded else 1))
            if kept is not None:
                log.info("W&B      kept offline; this sends it: wandb sync %s", shlex.quote(str(kept)))
        self._run, self._is_dead = None, True

    def _tell_address(self) -> None:
        if not self._run.disabled and not self._run.offline:
            log.info("W&B      %s", self._run.url)

    def _kept_offline(self) -> Path | None:
        """The folder that ``wandb sync`` takes; None where the run was sent, or is none."""
        is_kept = self._run.offline and not self._run.disabled
        return Path(self._run.dir).parent if is_kept else None


def _own_tags(config: dict[str, Any]) -> list[str]:
    """Short names of what a person filters by: model, data set, outputs; W&B allows 64 letters."""
    model = config.get("model") or {}
    target = str(model.get("name") or model.get("_target_", "").rpartition(".")[2])
    outputs = [str(output.get("name", "")) for output in (config.get("task") or {}).get("outputs") or []]
    named = [target, str((config.get("dataset") or {}).get("name", "")), *outputs]
    return [name[:64] for name in named if name]


def _stop_service() -> None:
    import wandb

    wandb.teardown()


def _has_key() -> bool:
    """Whether a W&B key is set in the environment or stored for the server in ~/.netrc."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc.netrc().authenticators(host or "") is not None
    except (OSError, netrc.NetrcParseError):
        return False
