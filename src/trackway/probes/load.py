"""Probes and environments by what a person types: `package.module:Name`, or a Gymnasium id."""

from __future__ import annotations

import importlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium

from trackway.errors import ProbeError
from trackway.probes.check import check_probe
from trackway.probes.probe import Probe, empty_row

_READS = 200


@dataclass(frozen=True)
class Examination:
    """What `trackway check-probe` finds.

    Attributes:
        probe: What was examined.
        problems: Sentences; none when the probe is good.
        read_us: Time of one reading, the median, µs.
    """

    probe: Probe
    problems: list[str]
    read_us: float


def examine(probe_name: str, env_name: str) -> Examination:
    """Make an environment and the probe for it, step it once, and check the probe.

    Raises:
        ProbeError: A name leads nowhere, or the probe cannot be made for that environment.
    """
    make_probe = load(probe_name)
    try:
        env = load(env_name)() if ":" in env_name else gymnasium.make(env_name)
        env.reset(seed=0)
        env.step(env.action_space.sample())
    except ProbeError:
        raise
    except Exception as error:
        raise ProbeError(f"no environment can be made of {env_name!r}: {error}") from error
    try:
        probe = make_probe(env)
    except Exception as error:
        raise ProbeError(f"{probe_name}(env) raises {type(error).__name__}: {error}") from error
    try:
        problems = check_probe(probe)
        return Examination(probe, problems, 0.0 if problems else _read_us(probe))
    finally:
        env.close()


def load(name: str) -> Any:
    """The object that `package.module:Name` names; the current folder is looked into as well.

    Raises:
        ProbeError: There is none.
    """
    module_name, _, attribute = name.partition(":")
    if not attribute:
        raise ProbeError(f"{name!r} names no object: write it as package.module:Name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ProbeError(f"{name!r} cannot be loaded: {error}") from error


def _read_us(probe: Probe) -> float:
    row = empty_row(probe.schema, 1)
    taken = []
    for _ in range(_READS):
        began = time.perf_counter_ns()
        probe.read(row)
        taken.append(time.perf_counter_ns() - began)
    return sorted(taken)[_READS // 2] / 1e3
