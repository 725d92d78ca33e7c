"""Thread settings of a training process; import this before torch, numpy and mujoco.

Two pools share the cores by turns: the simulations while a rollout is gathered, torch while the
policy is updated. A pool that spins while it waits takes the other's cores: five times the CPU on a
busy machine. Values that the user has set stay.
"""

from __future__ import annotations

import os

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def set_torch_threads(count: int = 1) -> None:
    """Bound torch's pool. One thread by default: at a few hundred rows a batch is too small to split."""
    import torch

    torch.set_num_threads(count)
