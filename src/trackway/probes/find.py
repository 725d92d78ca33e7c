"""Which probe fits an environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco

from trackway.probes.mujoco_probe import MujocoProbe
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
    if isinstance(getattr(inner, "model", None), mujoco.MjModel) and hasattr(inner, "data"):
        return MujocoProbe(inner)
    return None
