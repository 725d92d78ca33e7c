"""Every setting of a training, from defaults, a checkpoint, a TOML file and the command line.

[env]     fields of `go1.config.Go1Config`
[ppo]     arguments of Stable-Baselines3's PPO; learning_rate may be [start, end]
[policy]  net_arch, activation, log_std_init
[train]   fields of `TrainSettings`
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from go1.checks import check_choice, check_whole
from go1.config import Go1Config
from go1.training import learner_settings
from go1.upstream import MAX_EPISODE_TIME_SEC as UPSTREAM_EPISODE_S
from trackway.checkpoint.retention import Policy
from trackway.errors import TrackwayError

Tables = dict[str, dict[str, Any]]

VEC_ENVS = ("batch", "subproc", "dummy")
PRECISIONS = ("exact", "analysis", "resim")


class SettingsError(TrackwayError):
    """A setting cannot be used; the message says which, where, and what would do."""


@dataclass(frozen=True)
class TrainSettings:
    """What is neither the robot's nor the algorithm's; frequencies count timesteps."""

    total_timesteps: int = 5_000_000
    num_parallel_envs: int = 12
    vec_env: str = "batch"
    seed: int = 0
    device: str = "cpu"
    record: bool = True
    steps_max_gb: float | None = None
    """Keep only about so much of the stream of every step; None keeps all (0.5 GB a million)."""
    precision: str = "exact"
    """Of every step: exact, analysis (rounded) or resim (simulated again when it is read)."""
    save_frequency: int = 1_000
    checkpoint_frequency: int = 10_000
    keep_last: int | None = None
    """Of checkpoints: so many of the newest; None keeps all."""
    keep_every: int | None = None
    """And every so many-th."""
    keep_best: int = 0
    """And so many with the highest mean return."""
    eval_frequency: int = 10_000
    num_eval_episodes: int = 8
    video_interval: int = 300_000
    video_duration: int = 30

    def __post_init__(self) -> None:
        check_choice("vec_env", self.vec_env, VEC_ENVS)
        check_choice("precision", self.precision, PRECISIONS)
        for name in (
            "total_timesteps",
            "num_parallel_envs",
            "save_frequency",
            "checkpoint_frequency",
            "eval_frequency",
            "num_eval_episodes",
            "video_interval",
            "video_duration",
        ):
            check_whole(name, getattr(self, name))
        Policy(self.keep_last, self.keep_every, self.keep_best)  # raises what is wrong with them


@dataclass(frozen=True)
class Settings:
    """Every setting; `tables()` and `from_tables()` are inverse to each other."""

    env: Go1Config = field(default_factory=Go1Config)
    ppo: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    train: TrainSettings = field(default_factory=TrainSettings)

    def tables(self) -> Tables:
        """As plain tables, for the manifest and for checkpoints."""
        return {
            "env": _listed(asdict(self.env)),
            "ppo": dict(self.ppo),
            "policy": dict(self.policy),
            "train": asdict(self.train),
        }

    @staticmethod
    def from_tables(tables: Mapping[str, Mapping[str, Any]], source: str = "settings") -> Settings:
        """Defaults, overlaid with what `tables` say.

        Raises:
            SettingsError: An unknown table or key, or a value that cannot be used.
        """
        _check_keys(tables, source)
        given = {name: dict(tables.get(name, {})) for name in _KEYS}
        if given["env"].get("physics") == "upstream":
            given["env"].setdefault("max_episode_time_sec", UPSTREAM_EPISODE_S)
        try:
            env = Go1Config.from_table(given["env"])
            train = TrainSettings(**given["train"])
            ppo = learner_settings.ppo(given["ppo"], train.num_parallel_envs)
            policy = learner_settings.policy(given["policy"])
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{source}: {error}") from error
        return Settings(env, ppo, policy, train)


_KEYS = {
    "env": tuple(f.name for f in fields(Go1Config)),
    "ppo": learner_settings.PPO_KEYS,
    "policy": learner_settings.POLICY_KEYS,
    "train": tuple(f.name for f in fields(TrainSettings)),
}


def resolve(
    typed: Mapping[str, Any],
    config_file: Path | None = None,
    saved: Mapping[str, Mapping[str, Any]] | None = None,
) -> Settings:
    """Settle every setting: what was typed wins over the file, the file over the checkpoint.

    Args:
        typed: Flags as given on the command line, flag name → value.
        config_file: A TOML file.
        saved: The tables of the checkpoint that training resumes from.

    Raises:
        SettingsError: Something cannot be used; the message says what would do.
    """
    tables: Tables = {name: dict((saved or {}).get(name, {})) for name in _KEYS}
    sources = ["the checkpoint"] if saved else []
    if config_file is not None:
        read = _read_toml(config_file)
        _check_keys(read, str(config_file))
        for name, values in read.items():
            tables[name] |= values
        sources.append(str(config_file))
    flags = _from_flags(typed)
    if flags or not sources:
        sources.append("the command line")
    for flag, value in flags.items():
        table = next(name for name, keys in _KEYS.items() if flag in keys)
        tables[table][flag] = value
    return Settings.from_tables(tables, " and ".join(sources))


def _from_flags(typed: Mapping[str, Any]) -> dict[str, Any]:
    known = {flag for keys in _KEYS.values() for flag in keys}
    flags = {flag: value for flag, value in typed.items() if flag in known}
    if typed.get("no_record"):
        flags["record"] = False
    return flags


def _read_toml(path: Path) -> Tables:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"there is no configuration file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read as TOML: {error}") from error


def _check_keys(tables: Mapping[str, Any], source: str) -> None:
    for name, values in tables.items():
        if name not in _KEYS or not isinstance(values, Mapping):
            raise SettingsError(
                f"{source}: [{name}] is not a table of settings; there are "
                + ", ".join(f"[{known}]" for known in _KEYS)
            )
        for key in values:
            if key not in _KEYS[name]:
                raise SettingsError(
                    f"{source}: [{name}] has no setting {key!r}; there are {', '.join(_KEYS[name])}"
                )


def _listed(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML and JSON know lists, no tuples: what is written must equal what is read back."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in table.items()}
