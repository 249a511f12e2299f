"""A small real SLURM on this machine: two nodes, one partition that is pre-empted and one that pre-empts.

``python tests/slurm/start_slurm.py FOLDER``          start; the line printed sets SLURM_CONF
``python tests/slurm/start_slurm.py FOLDER --stop``   stop all of it

On Debian it needs ``apt-get install slurmctld slurmd slurm-client munge``. It writes below FOLDER only and touches no
SLURM that the machine may already have. Both nodes are this machine, so that jobs over several nodes can be tried.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "sinfo")
NODES = ("node1", "node2")
CPUS_PER_NODE = 4
START_S = 60.0
STOP_S = 15.0

CONFIGURATION = """\
ClusterName=seisvision
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
KillWait=30
MinJobAge=600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=5,bf_interval=5
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={first_port} CPUs={cpus} RealMemory=4000
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={second_port} CPUs={cpus} RealMemory=4000
PartitionName=main Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP PriorityTier=1 GraceTime=30
PartitionName=urgent Nodes=ALL MaxTime=UNLIMITED State=UP PriorityTier=10
"""
"""``cred_expire`` is also how long a requeued job waits before it may start again."""


def missing_programs() -> list[str]:
    """Programs of SLURM and munge that this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def start(folder: Path) -> Path:
    """Start munge, the controller and both nodes; returns the slurm.conf that clients need as ``SLURM_CONF``.

    Raises:
        RuntimeError: a program is missing, or the nodes are not idle after a minute; the message ends with the logs.
    """
    missing = missing_programs()
    if missing:
        raise RuntimeError(f"{', '.join(missing)} not installed (apt-get install slurmctld slurmd slurm-client munge)")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    (folder / "state").mkdir(exist_ok=True)
    configuration = _write_configuration(folder)
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    try:
        _start_munge(folder)
        _launch(folder, "slurmctld", ["slurmctld", "-D", "-c", "-f", str(configuration)])
        for node in NODES:
            _launch(folder, node, ["slurmd", "-D", "-N", node, "-f", str(configuration)])
        _wait_until_idle(folder, environment)
    except BaseException:
        stop(folder)
        raise
    return configuration


def stop(folder: Path) -> None:
    """End every process that :func:`start` started, jobs first."""
    configuration = folder / "slurm.conf"
    if configuration.exists():
        environment = {**os.environ, "SLURM_CONF": str(configuration)}
        _ask(["scancel", "--user", str(os.getuid())], environment)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline and _ask(["squeue", "--noheader"], environment).strip():
            time.sleep(0.5)
    for name in (*NODES, "slurmctld", "munged"):
        process = folder / f"started_{name}.pid"
        if process.exists():
            _end(int(process.read_text()))
            process.unlink()


def _write_configuration(folder: Path) -> Path:
    controller_port, first_port, second_port = _free_ports(3)
    path = folder / "slurm.conf"
    path.write_text(
        CONFIGURATION.format(
            host=socket.gethostname(),
            user=_user_name(),
            folder=folder,
            cpus=CPUS_PER_NODE,
            controller_port=controller_port,
            first_port=first_port,
            second_port=second_port,
        )
    )
    return path


def _start_munge(folder: Path) -> None:
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munged.pid"}
    files |= {"log-file": folder / "munged.log", "seed-file": folder / "munged.seed"}
    _launch(folder, "munged", ["munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in files.items())])
    deadline = time.monotonic() + START_S
    while not files["socket"].exists() and time.monotonic() < deadline:
        time.sleep(0.1)


def _launch(folder: Path, name: str, command: list[str]) -> None:
    with (folder / f"{name}.out").open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    (folder / f"started_{name}.pid").write_text(str(process.pid))


def _wait_until_idle(folder: Path, environment: dict[str, str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        states = _ask(["sinfo", "--noheader", "--Node", "--partition=main", "--format=%T"], environment).split()
        if states == ["idle"] * len(NODES):
            return
        time.sleep(0.5)
    logs = "\n".join(path.read_text(errors="replace")[-500:] for path in sorted(folder.glob("*.log")))
    raise RuntimeError(f"SLURM does not start on this machine: the nodes are not idle after {START_S:g} s\n{logs}")


def _ask(command: list[str], environment: dict[str, str]) -> str:
    try:
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _end(pid: int) -> None:
    """Ask a process to end, and make it after a while."""
    deadline = time.monotonic() + STOP_S
    try:
        os.kill(pid, signal.SIGTERM)
        while _is_running(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
    except ProcessLookupError:
        return


def _is_running(pid: int) -> bool:
    try:
        # Also takes away what is left of a child of this process.
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        os.kill(pid, 0)
        return True


def _free_ports(n: int) -> list[int]:
    listeners = [socket.socket() for _ in range(n)]
    for listener in listeners:
        listener.bind(("127.0.0.1", 0))
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _user_name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def main() -> int:
    """Start or stop from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stop", action="store_true")
    arguments = parser.parse_args()
    if arguments.stop:
        stop(arguments.folder.resolve())
        return 0
    try:
        print(f"export SLURM_CONF={start(arguments.folder.resolve())}")
    except RuntimeError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
