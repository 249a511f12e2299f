"""Where logged values go: metrics.csv always, Weights & Biases, TensorBoard and trackio on request.

Every dashboard has, beside Lightning's ``log_metrics``, the methods of :class:`~.dashboard.Dashboard`.
"""

from seisvision.runs.loggers.history import HISTORY_COLUMNS, HistoryLogger
from seisvision.runs.loggers.tensorboard_logger import TensorBoardLogger
from seisvision.runs.loggers.trackio_logger import TrackioLogger
from seisvision.runs.loggers.wandb_logger import WandbLogger

__all__ = ["HISTORY_COLUMNS", "HistoryLogger", "TensorBoardLogger", "TrackioLogger", "WandbLogger"]
