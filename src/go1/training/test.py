"""`train.py --run test`: try a model without chance, tell how well it walks, keep and film it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from stable_baselines3.common.vec_env import VecEnv

from go1.evaluation import EvaluationTable, Policy, evaluate
from go1.training import report
from go1.training.commands import near
from go1.training.environments import evaluation_envs
from go1.training.learner import make_learner
from go1.training.origin import Origin
from go1.training.settings import resolve
from go1.training.trial import commands, deterministic, film, film_states
from trackway import files
from trackway import run as run_folder
from trackway.clock import SYSTEM_CLOCK, file_stamp
from trackway.errors import RunError
from trackway.format.jsonable import jsonable, strict_json
from trackway.frameworks.sb3.episodes import Episodes
from trackway.probes.mujoco import motion_source
from trackway.probes.system import machine, versions
from trackway.run import RunFolder

States = NDArray[np.float64]
NUM_EPISODES = 5


def test(typed: Mapping[str, Any], config: Path | None, models: Path, console: Console) -> None:
    """Test a model and leave a run folder with its episodes, its table and its videos.

    Raises:
        TrackwayError: The model cannot be tested; no folder has been made then.
    """
    path = Path(typed["model_path"]) if "model_path" in typed else _newest_model(models)
    origin = Origin.open(path)
    settings = resolve(typed, config, origin.settings)
    num_episodes = typed.get("num_test_episodes", NUM_EPISODES)
    settings = replace(
        settings,
        ppo={**settings.ppo, "n_steps": 2, "batch_size": 2 * num_episodes},  # nothing is learnt
        train=replace(settings.train, num_parallel_envs=num_episodes),
    )
    envs = evaluation_envs(settings, num_episodes)
    try:
        policy = deterministic(make_learner(settings, envs, origin))
        run = run_folder.create_run(models, typed.get("run_name", "test"))
        manifest = run_folder.new_manifest(
            command=sys.argv,
            config=settings.tables(),
            versions=versions(),
            machine=machine(),
            tested={"path": str(origin.path), "timestep": origin.timestep},
        )
        run_folder.write_manifest(run, manifest)
        console.print(f"Testing {near(origin.path)}, deterministic", soft_wrap=True)
        records, motions = _play(policy, envs, num_episodes)
    finally:
        envs.close()
    _keep_episodes(run, records)
    _show_episodes(console, records)
    videos: list[Path | str] = []
    if settings.env.physics == "upstream":
        # Its robots know no other command than their own, so there is no table of commands.
        videos.append(film_states(motions[0], settings, run.videos / "test.mp4", "", console))
    else:
        table = evaluate(policy, settings.env, commands(settings.env))
        report.evaluation(console, table, settings.env.biped)
        files.publish(run.path / "evaluation.json", strict_json(jsonable(_facts(table))))
        videos.append(film(table, settings, run.videos / "test.mp4", console))
    if typed.get("record_test_episodes"):
        for i, (motion, record) in enumerate(zip(motions, records, strict=True), start=1):
            caption = f"episode {i}: {record['termination_reason']}"
            target = run.videos / f"episode_{i}.mp4"
            videos.append(film_states(motion, settings, target, caption, console))
    run_folder.write_manifest(run, manifest | {"status": "finished", "timesteps": origin.timestep})
    report.summary(
        console,
        "Tested",
        {
            "Kept in": run.path,
            "Watch": "\n  ".join(near(v) if isinstance(v, Path) else v for v in videos),
        },
    )


def _newest_model(models: Path) -> Path:
    found = [r.final_model for r in run_folder.list_runs(models) if r.final_model.is_file()]
    if not found:
        raise RunError(f"{models} holds no final_model.zip to test; name one with --model_path")
    return found[-1]


def _play(
    policy: Policy, envs: VecEnv, num_episodes: int
) -> tuple[list[dict[str, Any]], list[States]]:
    """One episode of each robot: its record, and its states [steps, nq]."""
    episodes = Episodes(num_episodes)
    records: dict[int, dict[str, Any]] = {}
    sources = [motion_source(envs, i) for i in range(num_episodes)]
    states: list[list[States]] = [[] for _ in range(num_episodes)]
    obs = envs.reset()
    timestep = 0
    while len(records) < num_episodes:
        for i, source in enumerate(sources):
            # A robot that has ended has begun anew; its further life is not of the test.
            if i not in records and source is not None:
                states[i].append(source.qpos())
        obs, rewards, dones, infos = envs.step(policy(np.asarray(obs)))
        timestep += num_episodes
        now_s = SYSTEM_CLOCK.unix_s()
        episodes.step(rewards, infos)
        for record in episodes.end(dones, infos, timestep, now_s):
            records.setdefault(record["env_id"], record)
    return [records[i] for i in range(num_episodes)], [np.array(each) for each in states]


def _keep_episodes(run: RunFolder, records: list[dict[str, Any]]) -> None:
    name = f"episodes_{file_stamp(SYSTEM_CLOCK.unix_s())}.json"
    files.publish(run.realtime_data / "episodes" / name, strict_json(jsonable(records)))


def _show_episodes(console: Console, records: list[dict[str, Any]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("episode", "return", "steps"):
        table.add_column(name, justify="right")
    for name in ("ended by", "success"):
        table.add_column(name)
    for i, record in enumerate(records, start=1):
        table.add_row(
            str(i),
            f"{record['episode_return']:.2f}",
            str(record["episode_length"]),
            record["termination_reason"],
            "yes" if record.get("is_success") else "no",
        )
    console.print(table)


def _facts(table: EvaluationTable) -> dict[str, Any]:
    rows = [{k: v for k, v in asdict(row).items() if k != "qpos"} for row in table.rows]
    return {"seconds": table.seconds, "dt": table.dt, "commands": rows}
