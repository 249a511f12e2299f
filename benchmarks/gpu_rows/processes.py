"""Several processes: NCCL and gloo on one card, weights that are spread, GPUs that are lent to the runs of a sweep."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.gpu_rows.setting import ROOT, Setting
from seisvision.tasks.exact import GlobalBatchNorm, gather_rows, loss_factors, share_of

BACKENDS = ("cpu:gloo,cuda:nccl", "gloo")


def two_processes(setting: Setting) -> dict[str, Any]:
    """What two processes on this machine compute together, by NCCL and by gloo, against one process."""
    told: dict[str, Any] = {}
    for backend in BACKENDS if setting.device.type == "cuda" else BACKENDS[1:]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        out = setting.scratch / "ranks.json"
        out.unlink(missing_ok=True)
        words = [
            sys.executable,
            "-m",
            "benchmarks.gpu_rows.processes",
            backend,
            setting.device.type,
            str(port),
            str(out),
        ]
        ranks = [
            subprocess.Popen([*words, str(rank)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for rank in range(2)
        ]
        said = []
        for rank in ranks:
            try:
                said.append(rank.communicate(timeout=60)[0])
            except subprocess.TimeoutExpired:
                rank.kill()
                said.append("no answer in 60 s")
        told[backend] = json.loads(out.read_text()) if out.exists() else {"failed": _last_error(said[0])}
    return {**told, "cards": torch.cuda.device_count(), "says": json.dumps(told)}


def _last_error(said: str) -> str:
    lines = [line for line in said.splitlines() if "Error" in line or "Duplicate" in line or "no answer" in line]
    return " | ".join(lines[-3:])[:400] or said[-400:]


def _rank(backend: str, kind: str, port: str, out: str, rank: str) -> None:
    """Be one of two processes: batch norm, sums and rows of both against those of the whole batch."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    n_cards = torch.cuda.device_count()
    device = torch.device(kind, int(rank) % n_cards) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(backend, rank=int(rank), world_size=2)
    whole = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(0)).to(device)
    alone = nn.BatchNorm2d(4).to(device).train()
    shared = GlobalBatchNorm(nn.BatchNorm2d(4).to(device)).train()
    mine = whole[int(rank) :: 2].clone().requires_grad_()
    expected_input = whole.clone().requires_grad_()
    expected = alone(expected_input)
    expected.square().sum().backward()
    found = shared(mine)
    found.square().sum().backward()
    share = share_of({"waveform": mine})
    (factor,) = loss_factors([torch.tensor(4.0, device=device)], share)
    rows = gather_rows(mine.detach())
    big = torch.ones(25_000_000, device=device)
    torch.distributed.all_reduce(big)
    _wait(kind)
    started = time.perf_counter()
    torch.distributed.all_reduce(big)
    _wait(kind)
    seconds = time.perf_counter() - started
    if int(rank) == 0:
        result = {
            "batch_norm": float((found - expected[0::2]).abs().max()),
            "gradient": float((mine.grad - expected_input.grad[0::2]).abs().max()),  # type: ignore[operator,index]
            "factor": float(factor),
            "rows": list(rows.shape),
            "all_reduce_100_mb_ms": round(1e3 * seconds, 2),
        }
        Path(out).write_text(json.dumps(result))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def _wait(kind: str) -> None:
    if kind == "cuda":
        torch.cuda.synchronize()


def fsdp(setting: Setting) -> dict[str, Any]:
    """One epoch with weights that are spread over the one process there is."""
    if setting.device.type != "cuda":
        return {"says": "left out: FSDP needs a GPU"}
    import pytorch_lightning as pl
    from pytorch_lightning.strategies import FSDPStrategy

    _, task, data = setting.build("trainer.max_epochs=1", "view.height=32", "view.width=32")
    trainer = pl.Trainer(
        accelerator="gpu", devices=1, strategy=FSDPStrategy(process_group_backend="cpu:gloo,cuda:nccl"), max_epochs=1,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
        use_distributed_sampler=False, limit_val_batches=0, precision="bf16-mixed",
    )  # fmt: skip
    task.to(memory_format=torch.contiguous_format)
    trainer.fit(task, datamodule=data)
    loss = float(trainer.callback_metrics["train/loss"])
    torch.distributed.destroy_process_group()
    return {"train_loss": loss, "says": f"one process: an epoch ends with a loss of {loss:.3f}"}


def two_cards(setting: Setting) -> dict[str, Any]:
    """The same run on one card and on two: seconds of training, and the loss they come to."""
    if setting.device.type == "cuda" and torch.cuda.device_count() < 2:
        return {"says": "left out: there is one card"}
    told = {}
    for n_devices in (1, 2):
        words = setting.overrides(
            "trainer=ddp", f"trainer.devices={n_devices}", f"trainer.accelerator={setting.accelerator}",
            f"trainer.max_epochs={1 if setting.is_dry else 4}", "evaluation.baselines=false", "launcher=local",
            f"trainer.batch_size={8 if setting.is_dry else 128}", f"system.runs_dir={setting.scratch}/{n_devices}",
        )  # fmt: skip
        done = subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return {"failed": (done.stdout + done.stderr)[-500:]}
        training = json.loads((Path(done.stdout.splitlines()[-1]) / "metrics.json").read_text())["training"]
        told[str(n_devices)] = {"seconds": training["seconds"], "loss": training["best_val_loss"]}
    one, two = told["1"], told["2"]
    return {
        **told,
        "says": f"{one['seconds'] / two['seconds']:.2f} times as fast on two; validation loss {one['loss']:.5f} and "
        f"{two['loss']:.5f}",
    }


def leases(setting: Setting) -> dict[str, Any]:
    """A sweep of two runs at a time, and which GPUs they were lent."""
    words = setting.overrides(
        "seed=1,2", "launcher=local_parallel", "trainer.max_epochs=1", "view.height=32", "view.width=32",
        "evaluation.baselines=false", "dataset.source.n_events=40", "dataset.source.length_s=600",
        "dataset.source.n_stations=[4,6]", "trainer.batch_size=8",
    )  # fmt: skip
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "train.py", "-m", *words], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    seconds = time.perf_counter() - started
    states = [json.loads(path.read_text()) for path in (setting.scratch / "runs").rglob("status.json")]
    found = [state.get("state") for state in states]
    told = [line for line in (done.stdout + done.stderr).splitlines() if "GPU" in line or "device" in line.lower()]
    return {
        "exit": done.returncode,
        "states": found,
        "told": told[-6:],
        "end": (done.stdout + done.stderr)[-600:] if done.returncode else "",
        "says": f"exit {done.returncode}, states {found} in {seconds:.1f} s; {'; '.join(told[-2:])}"[:300],
    }


if __name__ == "__main__":
    _rank(*sys.argv[1:])
