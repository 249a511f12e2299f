"""Runs as jobs of a SLURM cluster, submitted through submitit."""

from __future__ import annotations

import itertools
import logging
import re
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.records.folder import PENDING, RUNNING, RunFolder, read_json, write_json
from seisvision.runs.terminal import show
from seisvision.sweeps.slurm_job import WorkOnRun
from seisvision.sweeps.slurm_queue import has_ended, job_states

log = logging.getLogger(__name__)

JOB_FILE = "slurm.json"
"""In a run folder: the job that does the run."""
JOBS_FOLDER = "slurm"
"""Beside the run folders: scripts and output of their jobs."""
AUTO = "auto"
DECIDED = {
    "array": "", "output": "", "error": "", "open_mode": "",
    "signal": "launcher.signal_s", "requeue": "launcher.max_requeues", "no_requeue": "launcher.max_requeues",
    "nodes": "trainer.num_nodes", "ntasks": "trainer.devices", "ntasks_per_node": "trainer.devices",
}  # fmt: skip
"""Options of sbatch on which it rests that every run is done, told to stop and found again, and what sets them."""


@dataclass(frozen=True)
class Shape:
    """What a job needs of the cluster; jobs of one shape can be one array."""

    nodes: int
    devices: int
    gpus_per_node: int
    cpus_per_task: int


class SlurmLauncher:
    """Every run a job; runs that need the same devices become one array. See ``conf/launcher/slurm.yaml``.

    Args:
        max_parallel: jobs of an array that may run at the same time.
        time_min: time limit of one attempt.
        partition, account: where and on whose account.
        mem_gb: memory of a node.
        cpus_per_task: default one, and one for each reading process.
        gpus_per_node: default one for each device, none on processors.
        sbatch: further options of sbatch.
        setup: lines of shell before the run.
        signal_s: how long before the end of its time a job is told to stop.
        max_requeues: attempts in a row that end without a new epoch before a job gives up; 0 never requeues.
        wait: stay and tell how the runs end.
        poll_s: how often the queue is looked at.
        dry_run: print the scripts and submit nothing.

    Raises:
        ConfigurationError: a number is not allowed, or submitit is not installed.
    """

    def __init__(
        self,
        max_parallel: int = 16,
        time_min: int = 240,
        partition: str | None = None,
        account: str | None = None,
        mem_gb: float | None = None,
        cpus_per_task: int | None = None,
        gpus_per_node: int | str = AUTO,
        sbatch: Mapping[str, Any] | None = None,
        setup: Sequence[str] = (),
        signal_s: int = 120,
        max_requeues: int = 20,
        wait: bool = True,
        poll_s: float = 10.0,
        dry_run: bool = False,
    ) -> None:
        for name, value, least in (
            ("max_parallel", max_parallel, 1), ("time_min", time_min, 1), ("signal_s", signal_s, 1),
            ("max_requeues", max_requeues, 0), ("poll_s", poll_s, 0.1),
        ):  # fmt: skip
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise ConfigurationError(f"launcher.{name}={value} is not allowed; give a number of at least {least}.")
        self.at_once = max_parallel
        self.takes_all = True
        self.waits = wait and not dry_run
        self._dry_run, self._poll_s = dry_run, poll_s
        self._max_requeues, self._signal_s = max_requeues, signal_s
        self._cpus_per_task, self._gpus_per_node = cpus_per_task, gpus_per_node
        further = _options(sbatch)
        _check_words({"partition": partition, "account": account, **{f"sbatch.{key}": further[key] for key in further}})
        _check_setup(setup)
        self._settings = {
            "time": time_min,
            "partition": partition,
            "account": account,
            "mem": None if mem_gb is None else f"{round(1024 * mem_gb)}M",
            "array_parallelism": max_parallel,
            "setup": list(setup) or None,
            "stderr_to_stdout": True,
            "additional_parameters": {"signal": f"USR1@{signal_s}", "requeue": True, **further},
        }

    def run(self, folders: Iterable[RunFolder]) -> Iterator[RunFolder]:
        """Submit the runs, and yield each when its job ended; nothing is yielded where this launcher does not wait.

        A sequence is submitted at once; of what comes one by one, ``max_parallel`` are taken and then one for each
        that ends. A run whose job still waits or runs is not submitted again. Interrupted, the jobs stay.

        Raises:
            SeisvisionError: SLURM does not accept a job.
        """
        if self._dry_run:
            show("\n".join(self._scripts(list(folders))))
            return
        waiting = iter(folders)
        at_once = None if isinstance(folders, Sequence) or not self.waits else self.at_once
        jobs = self._submit(list(itertools.islice(waiting, at_once)))
        if not self.waits:
            _tell_how_to_look(jobs)
            return
        try:
            while jobs:
                for job_id in self._wait_for_end(jobs):
                    folder = jobs.pop(job_id)
                    _settle(folder, job_id)
                    yield folder
                jobs |= self._submit(list(itertools.islice(waiting, max(0, self.at_once - len(jobs)))))
        finally:
            if jobs:
                _tell_how_to_look(jobs)

    def shape(self, config: Mapping[str, Any]) -> Shape:
        """What the run of a configuration needs.

        Raises:
            ConfigurationError: ``trainer.devices`` leaves open how many.
        """
        trainer = config["trainer"]
        devices = trainer["devices"]
        if isinstance(devices, bool) or not isinstance(devices, int) or devices < 1:
            raise ConfigurationError(
                f"launcher=slurm must know how many devices to ask for, but trainer.devices={devices}. Give the "
                "number of devices of one node, such as trainer.devices=4."
            )
        gpus = self._gpus_per_node
        if gpus == AUTO:
            gpus = 0 if trainer["accelerator"] == "cpu" else devices
        return Shape(
            int(trainer["num_nodes"]), devices, int(gpus), self._cpus_per_task or 1 + config["system"]["num_workers"]
        )

    def _submit(self, folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
        """Jobs that do the runs, by id; those that SLURM has already are not submitted again."""
        jobs = _living_jobs(folders)
        for job_id, folder in jobs.items():
            log.info("Run %s is job %s already.", folder.run_id, job_id)
        there = [folder.path for folder in jobs.values()]
        for shape, some in self._by_shape([one for one in folders if one.path not in there]).items():
            executor = self._executor(shape, some[0])
            try:
                submitted = executor.submit_array(
                    [WorkOnRun(str(one.path.resolve()), self._max_requeues, self._signal_s) for one in some]
                )
            except (RuntimeError, OSError) as error:
                raise SeisvisionError(
                    f"SLURM does not accept the job of {some[0].path}: {error}. See the settings of launcher; "
                    "launcher.dry_run=true prints the script."
                ) from error
            for job, folder in zip(submitted, some, strict=True):
                write_json(folder.path / JOB_FILE, {"job_id": job.job_id, "output": str(job.paths.stdout)})
                jobs[job.job_id] = folder
            ids = submitted[0].job_id.partition("_")[0]
            log.info("Submitted %d run%s as job %s.", len(some), "s" if len(some) > 1 else "", ids)
        return jobs

    def _by_shape(self, folders: Sequence[RunFolder]) -> dict[Shape, list[RunFolder]]:
        shapes: dict[Shape, list[RunFolder]] = {}
        for folder in folders:
            shapes.setdefault(self.shape(folder.config()), []).append(folder)
        return shapes

    def _scripts(self, folders: Sequence[RunFolder]) -> Iterator[str]:
        """The batch scripts, each after the runs it would do."""
        for shape, some in self._by_shape(folders).items():
            executor = self._executor(shape, some[0])
            if len(some) > 1:
                executor.parameters["map_count"] = len(some)
            yield from (f"# {folder.path}" for folder in some)
            yield executor._make_submission_file_text(executor._submitit_command_str, "dry_run")

    def _executor(self, shape: Shape, folder: RunFolder) -> Any:
        """The submitit executor for jobs of one shape."""
        try:
            import submitit
        except ImportError as error:
            raise ConfigurationError("launcher=slurm needs submitit: pip install 'seisvision[slurm]'.") from error

        class Executor(submitit.SlurmExecutor):
            @classmethod
            def affinity(cls) -> int:
                # Scripts can be printed where there is no SLURM.
                return 1 if self._dry_run else super().affinity()

        try:
            executor = Executor(folder.path.parent.resolve() / JOBS_FOLDER)
        except RuntimeError as error:
            raise ConfigurationError(
                "launcher=slurm needs the commands of SLURM (sbatch, srun, squeue), which this machine lacks. Work on "
                "a login node of the cluster, or print the scripts with launcher.dry_run=true."
            ) from error
        tasks = {
            "nodes": shape.nodes,
            "ntasks_per_node": shape.devices,
            "gpus_per_node": shape.gpus_per_node or None,
            "cpus_per_task": shape.cpus_per_task,
            "job_name": f"seisvision-{folder.path.parent.name}",
            # srun does not take the number of processors from the job; it is to end all tasks when one fails.
            "srun_args": [f"--cpus-per-task={shape.cpus_per_task}", "--kill-on-bad-exit=1", "--open-mode=append"],
        }
        _check_words({"script": str(executor.folder), "job_name": tasks["job_name"]})
        settings = {key: value for key, value in {**self._settings, **tasks}.items() if value is not None}
        executor.update_parameters(**settings)
        return executor

    def _wait_for_end(self, jobs: Mapping[str, RunFolder]) -> list[str]:
        """Ids of jobs that ended, at least one; twice seen, for a job that requeues itself ends for a moment."""
        before: set[str] = set()
        while True:
            states = job_states(jobs)
            ended = {job_id for job_id, state in (states or {}).items() if has_ended(state)}
            finished = {job_id for job_id in ended if jobs[job_id].is_finished()}
            if finished or ended & before:
                return sorted(finished | (ended & before))
            before = ended
            time.sleep(self._poll_s)


def _options(sbatch: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further options of sbatch by name, with underscores.

    Raises:
        ConfigurationError: they are no mapping, or one has a value that is no word, or is decided elsewhere.
    """
    if sbatch is not None and not isinstance(sbatch, Mapping):
        raise ConfigurationError(
            f"launcher.sbatch={str(sbatch)[:80]!r} is no mapping; give options as 'launcher.sbatch={{qos: long}}'."
        )
    options = {str(key).replace("-", "_"): value for key, value in (sbatch or {}).items()}
    for name, value in options.items():
        if name in DECIDED:
            advice = f"set {DECIDED[name]}" if DECIDED[name] else "leave it out"
            raise ConfigurationError(f"launcher.sbatch.{name} is not allowed: the launcher decides it; {advice}.")
        if value is None or value is False:
            raise ConfigurationError(f"launcher.sbatch.{name}={value} asks for nothing; leave it out.")
        if not isinstance(value, str | int | float):
            raise ConfigurationError(
                f"launcher.sbatch.{name}={str(value)[:80]} is not allowed; give text or a number, of several values "
                "'a,b', or true for an option without a value."
            )
    return options


def _check_words(settings: Mapping[str, Any]) -> None:
    """Refuse what would be more than one line of a batch script, or an option that has no such name.

    Each stands quoted in a line of its own, but no quotes keep a line together.

    Raises:
        ConfigurationError: names the setting.
    """
    for name, value in settings.items():
        if not re.fullmatch(r"(sbatch\.)?[a-z][a-z0-9_]*", name):
            raise ConfigurationError(f"launcher.{name!r} is no option of sbatch; give one such as qos or mail-user.")
        if "\\" in str(value):
            raise ConfigurationError(
                f"launcher.{name}={str(value)[:80]!r} holds a backslash, which sbatch takes away even within quotes; "
                "give it without."
            )
        if not str(value).isprintable():
            raise ConfigurationError(
                f"launcher.{name}={str(value)[:80]!r} is not allowed in a batch script; give it on one line, without "
                "control characters."
            )


def _check_setup(lines: Sequence[str]) -> None:
    """Refuse lines of shell that are several, or that sbatch would read as options.

    Raises:
        ConfigurationError: names the line.
    """
    for line in lines:
        if not str(line).replace("\t", " ").isprintable():
            raise ConfigurationError(f"launcher.setup holds {str(line)[:80]!r}; give every line by itself.")
        if str(line).lstrip().startswith("#SBATCH"):
            raise ConfigurationError(
                f"launcher.setup holds {str(line)[:80]!r}; give options as launcher.sbatch={{...}}."
            )


def _living_jobs(folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Runs whose job, as their folder names it, has not ended.

    Raises:
        SeisvisionError: the queue does not answer, so that a run might be submitted twice.
    """
    files = {folder.path: folder.path / JOB_FILE for folder in folders}
    jobs = {read_json(files[one.path])["job_id"]: one for one in folders if files[one.path].exists()}
    states = job_states(jobs)
    if states is None:
        raise SeisvisionError("The queue of SLURM does not answer, so nothing was submitted. Try again later.")
    return {job_id: folder for job_id, folder in jobs.items() if not has_ended(states[job_id])}


def _settle(folder: RunFolder, job_id: str) -> None:
    """Record the end of a run whose job could not do so itself."""
    state = folder.status()["state"]
    if state not in (PENDING, RUNNING):
        return
    if state == PENDING:
        folder.mark_running()
    ended = (job_states([job_id]) or {}).get(job_id, "unknown")
    output = read_json(folder.path / JOB_FILE)["output"]
    folder.mark_failed(f"SLURM ended its job {job_id} ({ended}) before the run had ended; see {output}")


def _tell_how_to_look(jobs: Mapping[str, RunFolder]) -> None:
    """Say which jobs go on without this process, and how to see and cancel them."""
    for job_id, folder in jobs.items():
        show(f"job {job_id}  {folder.path}")
    ids = shlex.join(sorted({job_id.partition("_")[0] for job_id in jobs}))
    log.info(
        "%d jobs go on without this command. Repeat it to watch them; 'squeue --me' lists them, 'scancel %s' cancels "
        "them.",
        len(jobs),
        ids,
    )
