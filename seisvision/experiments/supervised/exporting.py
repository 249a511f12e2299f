"""A trained network for other programs: TorchScript, ONNX or safetensors, checked against the original, with a card."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised.model_card import model_card
from seisvision.experiments.waveforms.settings import cut_section
from seisvision.experiments.waveforms.trained import TrainedNetwork
from seisvision.files import whole_file, write_text
from seisvision.outputs.picks.output import PickOutput
from seisvision.records.checkpoint import find_checkpoint, load_checkpoint
from seisvision.records.integrity.seals import write_tensors
from seisvision.records.known_events import learnt_from_synthetic

log = logging.getLogger(__name__)

WAVEFORM, PICTURE = "waveform", "picture"
LARGEST_DIFFERENCE = 1e-5
"""Of outputs, relative to the largest value where that is above 1."""
FORMATS = {"torchscript": ".pt", "onnx": ".onnx", "safetensors": ".safetensors", "checkpoint": ".ckpt"}
HALF_DIFFERENCE = 1e-2
"""The same where weights are stored in half precision."""


class ExportedNetwork(nn.Module):
    """View, backbone and heads as one function of one tensor.

    Args:
        task: the trained network.
        reads: ``waveform``: (B, C, T) of single stations, as they were recorded; ``picture``: what the view draws.
        sampling_rate_hz: of waveforms.
    """

    def __init__(self, task: Any, reads: str, sampling_rate_hz: float) -> None:
        super().__init__()
        self.view, self.model, self.heads = task.view, task.model, task.heads
        self.reads, self.sampling_rate_hz = reads, sampling_rate_hz

    def forward(self, given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each output says: probabilities, or numbers in physical units with their spread."""
        picture = self.view(self._batch(given)) if self.reads == WAVEFORM else given
        said = []
        for output in self.heads:
            if output.sees_picture:
                raw = output.look(picture, self.model)
            else:
                raw = output(self.model.maps(picture) if output.on_maps else self.model(picture))
            said.append(output.probabilities(raw) if isinstance(output, PickOutput) else output.decode(raw))
        return tuple(said)

    def _batch(self, waveform: torch.Tensor) -> dict[str, Any]:
        recorded = waveform.new_ones(waveform.shape[:2], dtype=torch.bool)
        return {
            keys.WAVEFORM: waveform[:, None],
            keys.STATION_MASK: recorded[:, :1],
            keys.COMPONENT_MASK: recorded[:, None],
            keys.SAMPLING_RATE_HZ: self.sampling_rate_hz,
        }


def export_network(
    path: Path, to: str, out: Path, sampling_rate_hz: float | None = None, licence: str | None = None
) -> tuple[Path, Path]:
    """Write the network of a run, and a model card beside it.

    The written file is read again and compared with the original on random input, of two sizes of batch. Networks of
    single stations take waveforms, where their view can go along; all others the pictures that the view draws.

    Args:
        path: run folder or checkpoint.
        to: ``torchscript``, ``onnx``, ``safetensors`` (weights only, with a description in the header), or
            ``checkpoint``: for this program, as small as can be, without the folders of this machine.
        out: beginning of the paths.
        sampling_rate_hz: of waveforms; default that of the training, where it was set.
        licence: what the card says of licence and citation.

    Returns:
        The file of the network, and the card.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        ConfigurationError: the network, or the format, cannot be exported on this machine.
    """
    trained = TrainedNetwork.open(find_checkpoint(path))
    task = trained.task.eval()
    file, card = out.with_name(out.name + FORMATS[to]), out.with_name(out.name + ".md")
    out.parent.mkdir(parents=True, exist_ok=True)
    network, example = _with_view(trained, sampling_rate_hz)
    about = _about(trained, network, example)
    if to == "safetensors":
        difference = _write_safetensors(task, file, about)
    elif to == "checkpoint":
        difference = _write_checkpoint(trained, network, example, file)
    elif to == "torchscript":
        difference = _write_torchscript(network, example, file, about)
    else:
        network, about, difference = _export_onnx(trained, network, example, file)
    write_text(card, model_card(trained, path, about, to, difference, licence))
    return file, card


def _with_view(trained: TrainedNetwork, rate_hz: float | None) -> tuple[ExportedNetwork, torch.Tensor]:
    """The network with its view inside where that takes waveforms of single stations, and an input for it."""
    task, view = trained.task, trained.task.view
    cut = trained.config.dataset.section(cut_section(view)) or {}
    rate_hz = rate_hz or trained.sampling_rate_hz
    generator = torch.Generator().manual_seed(0)
    if view.unit == "trace" and not view.uses_origin and rate_hz:
        length = round(float(cut["window"]["length_s"]) * float(rate_hz))
        waveform = torch.randn(2, len(view.components), length, generator=generator)
        network = ExportedNetwork(task, WAVEFORM, float(rate_hz)).eval()
        try:
            with torch.no_grad():
                network(waveform)
        except (KeyError, RuntimeError) as error:
            log.warning("The view needs more than waveforms (%s); the network is exported for its pictures.", error)
        else:
            return network, waveform
    elif view.unit == "trace" and not rate_hz:
        log.warning("The sampling rate of the training is not stored: give --rate HZ for a network of waveforms.")
    return _of_pictures(trained)


def _of_pictures(trained: TrainedNetwork) -> tuple[ExportedNetwork, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    network = ExportedNetwork(trained.task, PICTURE, 0.0).eval()
    return network, torch.randn(2, *trained.task.view.image_shape, generator=generator)


def _about(trained: TrainedNetwork, network: ExportedNetwork, example: torch.Tensor) -> dict[str, Any]:
    """What a program must know of the function, as plain values."""
    view = trained.task.view
    shape = ["batch", *example.shape[1:]]
    takes: dict[str, Any] = {"name": network.reads, "shape": shape}
    if network.reads == WAVEFORM:
        takes |= {"components": view.components, "sampling_rate_hz": network.sampling_rate_hz}
    with torch.no_grad():
        said = network(example)
    outputs = [
        {**output.describe(), "shape": ["batch", *one.shape[1:]]}
        for output, one in zip(trained.task.outputs, said, strict=True)
    ]
    return {"run_id": trained.content["run_id"], "input": takes, "outputs": outputs, "view": view.describe()}


def _write_torchscript(network: ExportedNetwork, example: torch.Tensor, file: Path, about: Mapping[str, Any]) -> float:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer tells of every number that it takes for a constant
        traced = torch.jit.trace(network, example, check_trace=False)
    with whole_file(file) as partial:
        torch.jit.save(traced, str(partial), _extra_files={"seisvision.json": json.dumps(about).encode()})
        again = torch.jit.load(str(partial))
        return _compared(network, example, lambda given: again(given), file)


def _write_checkpoint(trained: TrainedNetwork, network: ExportedNetwork, example: torch.Tensor, file: Path) -> float:
    """Write a checkpoint to travel: weights in half precision, nothing of the machine or of the state of the training.

    Statistics of norms and scales of outputs keep their precision, for they may be very small.
    """
    checkpoint = load_checkpoint(trained.path)
    learnt = {name for name, _ in trained.task.named_parameters()}
    weights = {
        name: value.half() if name in learnt and value.is_floating_point() else value
        for name, value in checkpoint["state_dict"].items()
    }
    content = dict(checkpoint["seisvision"])
    content["config"] = without_machine(content["config"])
    if learnt_from_synthetic(content):
        # Nobody records events that were made up: their ids in the split are enough.
        content.pop("known_events", None)
    with whole_file(file) as partial:
        write_tensors({"state_dict": weights, "seisvision": content}, partial)
    again = ExportedNetwork(TrainedNetwork.open(file).task, network.reads, network.sampling_rate_hz).eval()
    return _compared(network, example, again, file, HALF_DIFFERENCE)


def without_machine(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stored configuration without folders, dashboards and files of the machine that it was run on."""
    kept = {**config, "logger": {}, "system": {**config["system"], "data_dir": "data", "runs_dir": "runs"}}
    kept["system"].pop("scratch", None)
    for name in ("init_from", "offset_ckpt"):
        if kept.get(name):
            kept[name] = Path(str(kept[name])).name
    return kept


def _export_onnx(
    trained: TrainedNetwork, network: ExportedNetwork, example: torch.Tensor, file: Path
) -> tuple[ExportedNetwork, dict[str, Any], float]:
    """Write as ONNX what can be said in it: with the view if possible, by the quick exporter of torch if possible.

    Returns:
        What was exported, its description, and the largest difference.
    """
    try:
        import onnx  # noqa: F401 (torch needs it)
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "--to onnx needs packages that write the file and check it: pip install onnx onnxscript onnxruntime. "
            "--to torchscript and --to safetensors need none."
        ) from error
    pictures = _of_pictures(trained)
    tries = [(network, example, False)] if network.reads == WAVEFORM else []
    said = ""
    for one, given, by_graph in (*tries, (*pictures, False), (*pictures, True)):
        about = _about(trained, one, given)
        try:
            difference = _write_onnx(one, given, file, about, by_graph)
        except Exception as error:  # torch and onnxruntime raise whatever their many parts raise
            said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            log.info("ONNX of %s: %s", one.reads, said)
        else:
            if one.reads != network.reads:
                log.warning("ONNX cannot say what the view does; the network is exported for the pictures it draws.")
            return one, about, difference
    raise ConfigurationError(f"ONNX cannot say what this network does ({said}). Try --to torchscript.")


def _write_onnx(
    network: ExportedNetwork, example: torch.Tensor, file: Path, about: Mapping[str, Any], by_graph: bool
) -> float:
    import onnxruntime

    names = [str(one["name"]) for one in about["outputs"]]
    with whole_file(file) as partial:
        # The exporters print all that they were about where they fail.
        with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            if by_graph:
                sizes = ({0: torch.export.Dim("batch")},)
                program = torch.onnx.export(
                    network, (example,), input_names=[network.reads], output_names=names, dynamo=True,
                    dynamic_shapes=sizes, verbose=False,
                )  # fmt: skip
                assert program is not None
                program.save(str(partial))
            else:
                torch.onnx.export(
                    network, (example,), str(partial), input_names=[network.reads], output_names=names, dynamo=False,
                    dynamic_axes={name: {0: "batch"} for name in (network.reads, *names)}, opset_version=17,
                )  # fmt: skip
        session = onnxruntime.InferenceSession(partial.read_bytes(), providers=["CPUExecutionProvider"])

        def ask(given: torch.Tensor) -> list[torch.Tensor]:
            return [torch.from_numpy(one) for one in session.run(None, {network.reads: given.numpy()})]

        return _compared(network, example, ask, file)


def _write_safetensors(task: nn.Module, file: Path, about: Mapping[str, Any]) -> float:
    """Write the weights; returns the largest difference to those read back, which is none."""
    weights = {name: value.detach().cpu().clone().contiguous() for name, value in task.state_dict().items()}
    with whole_file(file) as partial:
        save_file(weights, str(partial), {"seisvision": json.dumps(about)})
        again = load_file(str(partial))
    if again.keys() != weights.keys() or not all(_same(weights[name], again[name]) for name in weights):
        raise ConfigurationError(f"{file} does not hold the weights that were written to it; the disk may be at fault.")
    return 0.0


def _same(mine: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same, NaN where a setting was left open."""
    return (
        mine.shape == other.shape
        and torch.equal(mine.isnan(), other.isnan())
        and torch.equal(mine.nan_to_num(), other.nan_to_num())
    )


def _apart(mine: torch.Tensor, other: torch.Tensor) -> float:
    """Largest difference of two tensors of one shape as a share of the largest finite size in the first, at least 1.

    NaN is as good as NaN only, and an infinity as the same infinity: all else is infinitely far from them.
    """
    if not torch.equal(mine.isnan(), other.isnan()):
        return math.inf
    differ = (mine != other) & ~mine.isnan()
    if not differ.any():
        return 0.0
    finite = mine[mine.isfinite()].abs()
    scale = max(1.0, float(finite.max())) if finite.numel() else 1.0
    return float((mine - other)[differ].abs().max()) / scale


def _compared(
    network: ExportedNetwork,
    example: torch.Tensor,
    ask: Callable[[torch.Tensor], Any],
    file: Path,
    most: float = LARGEST_DIFFERENCE,
) -> float:
    """Largest difference of what is written to the original, on batches of two and of three.

    Raises:
        ConfigurationError: it is too large.
    """
    largest = 0.0
    for given in (example, torch.cat([example.flip(-1), example[:1] * 3])):
        with torch.no_grad():
            pairs = zip(network(given), ask(given), strict=True)
            for mine, other in pairs:
                if mine.shape != other.shape:
                    raise ConfigurationError(f"{file}: another batch gives shape {tuple(other.shape)}; not exported.")
                largest = max(largest, _apart(mine, other))
    if largest > most:
        raise ConfigurationError(
            f"{file} differs from the network by {largest:.1g}, more than {most:g}; it was not written. "
            "Try another format."
        )
    return largest
