"""The LightningModule that learns from unlabelled events, by telling apart the clusters that it finds itself."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.devices import moved, sent
from seisvision.base.share import Share
from seisvision.base.units import all_id_columns, unit_named
from seisvision.clustering.features import Preparation, effective_rank, fit_preparation
from seisvision.clustering.kmeans import BACKENDS, Clustering, agreement, kmeans, require_samples
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.serving.epoch_sampler import count_batches
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.models.backbone import Backbone
from seisvision.models.fronts import FRONTS
from seisvision.outputs.output import Output
from seisvision.seeding import DEFAULT_SEED, stream_seed
from seisvision.tasks.at_once import step_at_once
from seisvision.tasks.epoch_means import EpochMeans
from seisvision.tasks.exact import counting, loss_factors, rows_in_order, share_batch_norm, share_of
from seisvision.tasks.kept_pictures import KeptPictures, draw, pictures_in_order
from seisvision.tasks.noted_hooks import NotedHooks
from seisvision.views.noise import in_more_noise
from seisvision.views.view import View

log = logging.getLogger(__name__)

HEAD_DEVIATION = 0.01
"""Standard deviation of the weights of a new head."""


class DeepClusterTask(NotedHooks):
    """Deep clustering (Caron, Bojanowski, Joulin & Douze 2018, arXiv:1807.05520).

    Every epoch begins with the features of all samples, in evaluation mode, in the order of the data, without
    augmentation. They are reduced by PCA, whitened, put on the unit sphere and clustered by k-means; the clusters are
    the labels of the epoch. A new head learns to tell them apart, and the network with it, from an order in which
    every cluster comes equally often, so that one large cluster is no way out.

    Everything random follows from the seed and the epoch, so a resumed training makes the clusters that an
    uninterrupted one would have made. With several processes the features are computed in shares and the clusters made
    once, on rank 0.

    Args:
        model: backbone with ``num_features``, for pictures of ``view.out_channels`` channels (twice as many with
            ``front="sobel"``). It needs batch normalisation to learn from random weights.
        view: draws pictures (B, P, H, W) from a batch; has no learned weights.
        k: number of clusters K that are wanted.
        train_k: number of clusters that the training learns to tell apart; ``None`` takes ``k``. More than are wanted
            make better features (Caron et al. 2018, section 4.1).
        optimizer: builds the optimiser of the backbone from its parameters.
        scheduler: as in :class:`~seisvision.tasks.supervised.SupervisedTask`, for the backbone alone.
        augment: changes training batches; must keep the physics, so never flips or crops.
        pca_dim: largest number of principal components that are clustered.
        whiten: give these components the same variance.
        normalise: put the points on the unit sphere.
        backend: what does k-means, ``sklearn`` or ``faiss``.
        n_init: starts of k-means before an epoch.
        final_n_init: starts of the k-means that ends a run: there one poor start is not mended by the next epoch.
        min_cluster_size: smaller clusters are dissolved, see :func:`~seisvision.clustering.kmeans.kmeans`.
        head_lr: rate of the plain gradient descent of the head. A new head has only the steps of one epoch to learn in,
            so the fewer samples, the higher; 0.05 in the original, whose epochs have thousands of steps.
        head_weight_decay: its weight decay.
        front: fixed first layer: ``none``, ``sobel`` (gradients of the picture, as in the original) or ``contrast``
            (every picture divided by its own brightest parts, so that magnitude is not seen).
        more_noise_db: every training picture is shown as it would be in up to so much more noise; for views that draw
            decibels above noise.
        drawings: draw so many augmented pictures of every sample once, keep them, and learn from these, because views
            may take longer than the network; ``None`` draws new ones in every epoch.
        seed: base seed.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    without_validation = "clusters are found without any"
    outputs: tuple[Output, ...] = ()
    """None: nothing is predicted that a label could judge."""
    monitor, monitor_mode = "cluster/nmi", "max"

    def __init__(
        self,
        model: Backbone,
        view: View,
        k: int,
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        scheduler: Callable[..., Any] | None = None,
        augment: nn.Module | None = None,
        train_k: int | None = None,
        pca_dim: int = 256,
        whiten: bool = True,
        normalise: bool = True,
        backend: str = "sklearn",
        n_init: int = 10,
        final_n_init: int = 100,
        min_cluster_size: int = 1,
        head_lr: float = 0.5,
        head_weight_decay: float = 1e-5,
        front: str = "none",
        more_noise_db: float = 0.0,
        drawings: int | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        super().__init__()
        self.k, self.train_k, self.pca_dim = k, k if train_k is None else train_k, pca_dim
        numbers = {"pca_dim": pca_dim, "n_init": n_init, "final_n_init": final_n_init, "drawings": drawings or 1}
        for least, values in ((2, {"k": k, "train_k": self.train_k}), (1, numbers)):
            for name, value in values.items():
                if value < least:
                    raise ConfigurationError(f"task.{name}={value} must be at least {least}")
        if min_cluster_size < 1 or not head_lr > 0 or head_weight_decay < 0:
            raise ConfigurationError(
                f"task.min_cluster_size={min_cluster_size} must be at least 1, task.head_lr={head_lr} above 0 and "
                f"task.head_weight_decay={head_weight_decay} at least 0"
            )
        if more_noise_db < 0 or (more_noise_db and view.noise_range_db is None):
            raise ConfigurationError(
                f"task.more_noise_db={more_noise_db} must be at least 0, and 0 for views that do not draw decibels "
                "above noise; view=stack, bands and spectrogram do"
            )
        if front not in FRONTS:
            raise ConfigurationError(f"task.front='{front}'. {did_you_mean(front, list(FRONTS))}")
        if backend not in BACKENDS:
            raise ConfigurationError(f"task.backend='{backend}'. {did_you_mean(backend, list(BACKENDS))}")
        self.model, self.view, self.augment = model, view, augment
        self.front = FRONTS[front](view.out_channels)
        self.head = nn.Linear(model.num_features, self.train_k)
        self._make_optimizer, self._make_scheduler = optimizer, scheduler
        self._preparing: dict[str, Any] = {"n_components": pca_dim, "whiten": whiten, "normalise": normalise}
        self._clustering: dict[str, Any] = {"backend": backend, "min_cluster_size": min_cluster_size}
        self._more_noise_db = more_noise_db
        self._n_drawings = drawings or 0
        self._clean: torch.Tensor | None = None
        self._kept: KeptPictures | None = None
        self._n_init, self._final_n_init = n_init, final_n_init
        self._head_lr, self._head_weight_decay = head_lr, head_weight_decay
        self.seed = seed
        self._means = EpochMeans()
        self.fused: bool | str = "auto"
        """See :func:`~seisvision.tasks.at_once.step_at_once`."""
        self.about: dict[str, Any] = {}
        """What makes a checkpoint usable by itself: plain containers only."""
        self.labels: np.ndarray | None = None
        """Clusters (N,) that the epoch learns."""
        self.learnt: np.ndarray | None = None
        """Clusters (N,) that the last complete epoch has learnt."""
        self.history: list[dict[str, Any]] = []
        """What the clusters of every epoch so far were like."""
        self._now: dict[str, Any] = {}
        self._data: EventDataModule | None = None
        self._number_of: dict[str, int] = {}

    def attach(self, data: EventDataModule) -> None:
        """Take the samples that are clustered and learnt from: the part ``train``.

        Raises:
            DataError: they are too few for so many clusters.
        """
        self._data = data
        self._number_of = {sample_id: number for number, sample_id in enumerate(data.parts["train"].sample_ids)}
        for name, k in (("k", self.k), ("train_k", self.train_k)):
            require_samples(len(self._number_of), name, k, self._clustering["min_cluster_size"])

    def setup(self, stage: str) -> None:
        """Let the samples know how many processes share them."""
        if self._data is not None and stage == "fit":
            self._data.trainer = self.trainer

    def transfer_batch_to_device(
        self, batch: dict[str, Any], device: torch.device, dataloader_idx: int
    ) -> dict[str, Any]:
        """Move what is a tensor, see :func:`~seisvision.base.devices.moved`."""
        return moved(batch, device)

    def configure_model(self) -> None:
        """Take batch norms over the global batch where several processes share it."""
        if self.trainer.world_size > 1:
            share_batch_norm(self)

    def features(self, batch: dict[str, Any]) -> torch.Tensor:
        """Features (B, F) of a batch of waveforms, before the last ReLU of the network."""
        return self._features_of(self.view(batch))

    def _features_of(self, picture: torch.Tensor) -> torch.Tensor:
        return self.model.unrectified(self.front(picture))

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Logits (B, ``train_k``) of the clusters of this epoch."""
        return self.head(torch.relu(self.features(batch)))

    def prepare_points(self, features: np.ndarray) -> tuple[Preparation, np.ndarray]:
        """The preparation that features (N, F) ask for, and the points (N, P) it makes of them."""
        preparation = fit_preparation(features, **self._preparing)
        return preparation, preparation(features)

    def cluster(self, points: np.ndarray, epoch: int, k: int | None = None) -> Clustering:
        """Clusters of points (N, P) before ``epoch``; the number of epochs stands for the end of the training.

        Args:
            points: prepared features.
            epoch: chooses the random starts.
            k: number of clusters; ``None`` makes those that are wanted in the end, with more starts.
        """
        n_init, k = (self._final_n_init, self.k) if k is None else (self._n_init, k)
        seed = stream_seed(self.seed, "k-means", epoch)
        return kmeans(points, k, seed=seed, n_init=n_init, **self._clustering)

    def train_dataloader(self) -> DataLoader:
        """Cluster all samples, renew the head, and serve the epoch that learns the clusters.

        Lightning asks for it before every epoch (``reload_dataloaders_every_n_epochs=1``), and before it draws the
        first batch; every later hook would see batches in the order of old clusters.
        """
        assert self._data is not None
        epoch = self.current_epoch
        if self._n_drawings and self._kept is None:
            self._keep_pictures(self._data)
        features = self._all_features(self._data)
        clustering, rank = None, 0.0
        if self.trainer.is_global_zero:
            _, points = self.prepare_points(features)
            clustering, rank = self.cluster(points, epoch, self.train_k), effective_rank(features)
        # One process decides: another's rounding might put a border case elsewhere.
        clustering, rank = self.trainer.strategy.broadcast((clustering, rank), src=0)
        assert clustering is not None
        self.labels = clustering.labels
        # Lightning may ask twice before a resumed epoch: only an epoch that starts is history.
        self._now = {
            "kmeans_loss": clustering.loss,
            "nmi": None if self.learnt is None else agreement(self.learnt, clustering.labels),
            "sizes": clustering.sizes.tolist(),
            "feature_rank": rank,
        }
        self._renew_head(epoch)
        loader = self._data.loader("train", labels=clustering.labels)
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        return loader

    def _all_features(self, data: EventDataModule) -> np.ndarray:
        """Features float32 (N, F) of all samples, on every rank."""
        mine = []
        with self._evaluating(), self.trainer.precision_plugin.forward_context():
            if self._clean is not None:
                for picture in self._clean.split(data.batch_size):
                    mine.append(self._features_of(sent(picture, self.device).float()).float())
            else:
                for batch in data.loader("train"):
                    batch = self.trainer.strategy.batch_to_device(batch)
                    features = self.features(batch).float()
                    mine.append(features[batch[keys.COUNTS]] if keys.COUNTS in batch else features)
        return rows_in_order(torch.cat(mine), len(self._number_of)).cpu().numpy()

    def _keep_pictures(self, data: EventDataModule) -> None:
        """Draw every sample as it is, and augmented as often as asked for."""
        log.info("drawing %d + 1 pictures of every sample, once", self._n_drawings)
        to_device = self.trainer.strategy.batch_to_device
        with torch.no_grad():
            self._clean = draw(self.view, data.loader("train"), to_device)
            drawn = []
            for drawing in range(self._n_drawings):
                mine = draw(self.view, data.loader("train"), to_device, self.augment, drawing)
                drawn.append(pictures_in_order(mine, len(self._number_of), self.device))
        self._kept = KeptPictures(torch.stack(drawn), self.seed)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        was_training = self.training
        self.eval()
        with torch.no_grad():
            yield
        self.train(was_training)

    def _renew_head(self, epoch: int) -> None:
        """Forget what the numbers of the clusters meant: they mean something else now."""
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "head", epoch))
        with torch.no_grad():
            self.head.weight.copy_(torch.randn(self.head.weight.shape, generator=generator) * HEAD_DEVIATION)
            self.head.bias.zero_()

    def on_train_epoch_start(self) -> None:
        """Log the clusters of the epoch, and seed dropout by epoch."""
        torch.manual_seed(stream_seed(self.seed, "dropout", self.current_epoch, self.global_rank))
        now = self._now
        self.history.append(now)
        sizes = now["sizes"]
        values = {"kmeans_loss": now["kmeans_loss"], "feature_rank": now["feature_rank"]}
        values |= {"n": len(sizes), "smallest": min(sizes), "largest": max(sizes)}
        sizes = sizes + [0] * (self.train_k - len(sizes))
        values |= {f"size_{number:02d}": size for number, size in enumerate(sizes)}
        self.log_dict({f"cluster/{name}": float(value) for name, value in values.items()})

    def on_train_epoch_end(self) -> None:
        """Note which clusters were learnt."""
        self.learnt = self.labels

    def training_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
        """Cross-entropy of one batch against the clusters of the epoch."""
        assert self.labels is not None
        share = share_of(batch)
        ids = batch[unit_named(self.view.unit).id_column]
        numbers = [self._number_of[sample_id] for sample_id in ids]
        target = sent(torch.from_numpy(self.labels[numbers]), self.device)
        if self._kept is not None:
            picture = sent(self._kept.pick(numbers, self.current_epoch, batch_index, share), self.device).float()
        else:
            if self.augment is not None:
                batch = self.augment(batch, self.current_epoch, batch_index, share)
            picture = self.view(batch)
        with counting(share):
            logits = self.head(torch.relu(self._features_of(self._in_more_noise(picture, batch_index, share))))
        (factor,) = loss_factors([torch.tensor(len(ids))], share)
        loss = functional.cross_entropy(logits.float(), target) * factor
        means = {"loss": loss, "loss_over_ln_k": loss.detach() / math.log(self.train_k)}
        self._means.add("train", means, len(ids) if share is None else share.n_samples)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: dict[str, Any], batch_index: int) -> None:
        """Log what the epoch came to after its last batch."""
        if self.trainer.is_last_batch:
            self._means.log(self, "train")
            if self._now["nmi"] is not None:
                # The first epoch has none; logged last, so that a resumed run logs everything in the same order.
                self.log("cluster/nmi", self._now["nmi"], batch_size=1, sync_dist=True, on_step=False, on_epoch=True)

    def _in_more_noise(self, picture: torch.Tensor, batch_index: int, share: Share | None) -> torch.Tensor:
        """Pictures (B, P, H, W) as they would be in more noise, each by an amount of its own."""
        if not self._more_noise_db or self.view.noise_range_db is None:
            return picture
        seed = stream_seed(self.seed, "more noise", self.current_epoch, batch_index)
        # Drawn for the global batch, so that the number of processes changes nothing.
        n_samples = len(picture) if share is None else share.n_samples
        more_db = torch.rand(n_samples, generator=torch.Generator().manual_seed(seed)) * self._more_noise_db
        more_db = more_db if share is None else share.of(more_db)
        return in_more_noise(picture, self.view.noise_range_db, sent(more_db, picture.device))

    def predict_step(self, batch: dict[str, Any], batch_index: int) -> dict[str, Any]:
        """Ids and features (B, F) of one batch."""
        ids = {key: batch[key] for key in (*all_id_columns(), keys.COUNTS) if key in batch}
        return {**ids, "features": self.features(batch).float().cpu()}

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step the backbone's optimiser, which computes the gradients, then the head's."""
        super().optimizer_step(*args, **kwargs)
        self._head_optimizer.step()

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients of backbone and head."""
        optimizer.zero_grad()
        self._head_optimizer.zero_grad()

    def configure_optimizers(self) -> Any:
        """Build the optimiser of the backbone with its schedule, and that of the head.

        The head has plain gradient descent, which has no state, so Lightning need not know of it.

        Raises:
            ConfigurationError: gradients would be scaled for half precision, which the head's optimiser cannot undo.
        """
        if self.trainer.precision == "16-mixed":
            raise ConfigurationError("trainer.precision=16-mixed does not go with clusters; choose bf16-mixed")
        self._head_optimizer = torch.optim.SGD(
            self.head.parameters(), lr=self._head_lr, weight_decay=self._head_weight_decay
        )
        optimizer = self._make_optimizer(self.model.parameters())
        for one in (optimizer, self._head_optimizer):
            step_at_once(one, self.fused)
        if self._make_scheduler is None:
            return optimizer
        scheduler = self._make_scheduler(optimizer, total_steps=self._total_steps())
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _total_steps(self) -> int:
        """Steps of the whole training; Lightning's own count would ask for the samples, and so make clusters."""
        assert self._data is not None
        trainer = self.trainer
        batches, limit = count_batches(len(self._number_of), self._data.batch_size), trainer.limit_train_batches
        batches = min(batches, limit) if isinstance(limit, int) else max(1, int(batches * limit))
        return (trainer.max_epochs or 1) * -(-batches // trainer.accumulate_grad_batches)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what another program needs to use the weights, and what a resumed training needs to know."""
        checkpoint["seisvision"] = {**self.about, "epoch": self.current_epoch}
        checkpoint["clusters"] = {"labels": torch.from_numpy(self.labels), "history": self.history}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the clusters of the last epoch."""
        self.labels = self.learnt = checkpoint["clusters"]["labels"].numpy()
        self.history = list(checkpoint["clusters"]["history"])
