"""Which probe fits an environment."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from trackway.probes.probe import Probe

MakeProbe = Callable[[Any], Probe]
"""A probe's class, or any function that makes one for an environment."""


def find_probe(env: Any) -> Probe | None:
    """The probe that an environment brings (`recorder_probe()`), or the one that fits it.

    None: nothing is known about it but what it takes and gives.
    """
    inner = getattr(env, "unwrapped", env)
    brings = getattr(inner, "recorder_probe", None)
    if brings is not None:
        probe: Probe = brings()
        return probe
    # Whoever has a MuJoCo model has imported MuJoCo; nobody else needs it.
    mujoco: Any = sys.modules.get("mujoco")
    if mujoco is None or not isinstance(getattr(inner, "model", None), mujoco.MjModel):
        return None
    from trackway.probes.mujoco_probe import MujocoProbe

    return MujocoProbe(inner) if hasattr(inner, "data") else None
