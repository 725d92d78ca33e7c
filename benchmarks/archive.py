"""How small steps become, at what cost, and how fast they are read: the archive beside its peers.

    python benchmarks/archive.py                  # trains a Go1 for a few minutes first
    python benchmarks/archive.py --train 100000 --rows 12000

The data are 12 Go1s walking by a policy that was just trained, with its exploration: 67 numbers,
421 bytes a row. Sizes do not depend on the machine; times are of the processor, the least of several,
and of them the ratios count. Of the tier `resim`, in
which rows are simulated again, what moved the robots is recorded as well: actions, pushes, starts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import orjson
import pyarrow as pa
from peers.archives import (
    PACKAGES,
    PEERS,
    Columns,
    Moved,
    Result,
    analysis,
    beside_training,
    resim,
    run,
)
from peers.installed import add_options, install
from recording_throughput import learner

from go1.vec_env import Go1VecEnv
from trackway import Field, Schema
from trackway.probes.scene import model_bytes
from trackway.recorder.compactor import PARTS_AT_ONCE
from trackway.storage.archive.plan import PART_BYTES

NUM_ENVS = 12
SCHEMA = Schema(
    Field("qpos", "float64", (19,), "m, rad", "generalised positions"),
    Field("qvel", "float64", (18,), "m/s, rad/s", "generalised velocities"),
    Field("torque", "float32", (12,), "N m", "torques of the motors"),
    Field("foot_force", "float32", (4,), "N", "normal forces on the feet"),
    Field("terms", "float32", (8,), "1", "terms of the reward, weights applied"),
    Field("reward", "float32", (), "1", "reward of the step"),
    Field("speed", "float32", (), "m/s", "forward speed"),
    Field("height", "float32", (), "m", "height of the trunk"),
    Field("energy", "float64", (), "J", "work of the motors"),
    Field("time", "float64", (), "s", "when the row was committed, by the machine's clock"),
    Field("done", "bool", (), "1", "whether the episode ended"),
)
# Of what its unit tells no bound.
BOUNDS = {"terms": 1e-5, "reward": 1e-5, "time": 1e-3}
GIVEN = Schema(
    Field("ctrl", "float64", (12,), "rad", "what the motors were told"),
    Field("push", "float64", (2,), "m/s", "added to the trunk's velocity"),
    Field("action", "float32", (12,), "1", "what the policy said"),
)


def walk(train: int, rows: int) -> tuple[Columns, Moved]:
    """Steps of a policy that was trained for so many timesteps, `[rows, 12, *shape]`, and what moved them."""
    model = learner(256)
    model.learn(train, log_interval=None)
    model.policy.set_training_mode(False)
    envs = Go1VecEnv(NUM_ENVS, seed=3)
    core = envs.core
    columns, given = (
        {f.name: np.empty((rows, NUM_ENVS, *f.shape), f.dtype) for f in schema}
        for schema in (SCHEMA, GIVEN)
    )
    obs, probe = envs.reset(), envs.recorder_probe()
    starts = [{"row": 0, "env": env, "start": probe.start(env)} for env in range(NUM_ENVS)]
    for i in range(rows):

        def read(i: int = i) -> None:
            """The state that the action led to, before any robot starts again."""
            row = {name: column[i] for name, column in columns.items()}
            row["qpos"][:], row["qvel"][:] = core.qpos, core.qvel
            row["torque"][:], row["foot_force"][:] = core.motion.torque, core.motion.foot_force
            row["terms"][:] = np.concatenate([core.step_rewards, core.step_costs], 1)[:, :8]
            row["speed"][:], row["height"][:] = core.qvel[:, 0], core.qpos[:, 2]
            power = core.motion.torque * core.qvel[:, 6:]
            row["energy"][:] = np.abs(power.sum(axis=1)) * 0.02
            row["time"][:] = time.time()
            given["ctrl"][i], given["push"][i] = core.ctrl, core.randomization.pushed

        envs.before_restart = read
        actions, _ = model.predict(obs, deterministic=False)
        given["action"][i] = actions
        obs, columns["reward"][i], columns["done"][i], _ = envs.step(actions)
        starts += [
            {"row": i + 1, "env": env, "start": probe.start(env)}
            for env in np.flatnonzero(columns["done"][i]).tolist()
        ]
    return columns, Moved(GIVEN, given, starts, model_bytes(core.model), core.frame_skip)


def keep(path: Path, columns: Columns, moved: Moved) -> None:
    facts = orjson.dumps({"starts": moved.starts, "substeps": moved.substeps})
    kept = {f"given/{name}": column for name, column in moved.columns.items()}
    kept |= {"facts": np.frombuffer(facts, np.uint8), "model": np.frombuffer(moved.model, np.uint8)}
    np.savez(path, **columns, **kept)


def load(path: Path) -> tuple[Columns, Moved]:
    kept = dict(np.load(path))
    given = {field.name: kept.pop(f"given/{field.name}") for field in GIVEN}
    facts, model = orjson.loads(kept.pop("facts").tobytes()), kept.pop("model").tobytes()
    return kept, Moved(GIVEN, given, facts["starts"], model, facts["substeps"])


def table(results: dict[str, Result], rows: int) -> None:
    print("| format | B/row | CPU to write, µs/row | a column, ms | an episode, ms |")
    print("|---|---|---|---|---|")
    for name, result in results.items():
        times = [
            "-" if spent is None else f"{spent * 1e3:.1f}"
            for spent in (result.column_s, result.episode_s)
        ]
        written = f"{result.size / rows:.1f} | {result.write_s / rows * 1e6:.2f}"
        print(f"| {name} | {written} | {' | '.join(times)} |")


def measure(folder: Path, columns: Columns, moved: Moved, args: argparse.Namespace) -> None:
    count = columns["done"].size
    install(args, folder / "peers", PACKAGES)
    results = {}
    for name in PEERS:
        result = run(name, folder / name, SCHEMA, columns)
        if result is not None:
            results[name] = result
    for name, bounds in (("analysis", {}), ("analysis, all bounded", BOUNDS)):
        results[f"trackway, tier {name}"] = analysis(folder / name, SCHEMA, columns, bounds)
    of_bytes = SCHEMA.row_bytes(1) + GIVEN.row_bytes(1)
    again = resim(folder / "resim", SCHEMA, columns, moved)
    results[f"trackway, tier resim, of {of_bytes} bytes"] = again
    table(results, count)
    told = beside_training(folder / "beside", SCHEMA, columns)
    print(
        f"beside a training, a child for every {PARTS_AT_ONCE * PART_BYTES >> 20} MB: "
        + ", ".join(f"{name} {spent * 1e6:.2f} µs/row" for name, spent in told.items())
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--train", type=int, default=1_200_000, help="timesteps of training")
    options.add_argument("--rows", type=int, default=20_000, help="steps of the 12 robots")
    options.add_argument("--data", type=Path, help="keep the steps here (.npz), and use them again")
    add_options(options)
    args = options.parse_args()
    if args.rows < 11_000:
        options.error(
            "the episode that is read lies in rows 10,000 to 11,000: --rows 11000 or more"
        )
    pa.set_cpu_count(1)
    if args.data and args.data.exists():
        columns, moved = load(args.data)
    else:
        columns, moved = walk(args.train, args.rows)
        if args.data:
            keep(args.data, columns, moved)
    count = columns["done"].size
    print(f"{count:,} rows of {SCHEMA.row_bytes(1)} bytes")
    with tempfile.TemporaryDirectory(prefix="archive-") as folder:
        measure(Path(folder), columns, moved, args)


if __name__ == "__main__":
    main()
