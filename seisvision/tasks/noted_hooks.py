"""A LightningModule in which Lightning notes its hooks at once."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class NotedHooks(pl.LightningModule):
    """Lightning writes the name of the hook into its module twice a hook, some forty times a step.

    What is written into a module of torch is compared with parameters, buffers and modules first, which takes longer
    than a hook that does nothing.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Write an attribute; the name of a hook is none of what torch keeps apart."""
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)
