"""What an episode costs: to find in a long run, on the wire, in a gallery. Ratios where they mean more.

    python benchmarks/replay.py [--rows 10000000] [--envs 12]

Writes a run of so many rows (one environment's step each) with a Go1's columns into a temporary folder, and
compacts it, as recording does by itself. Where there are chromium and the built page, it is looked at in a browser, too: from the click to the robot that
moves, frames a second, a gallery of 50; drawn by the processor.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from dashboard import FLAGS, serving, until
from playwright.sync_api import sync_playwright

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway.dashboard.static import BUILT
from trackway.format import pieces
from trackway.format.schema import Field, Schema
from trackway.format.segment import Digests, SegmentHeader, encode_rows, encode_seal, open_segment
from trackway.probes.scene import save_scene
from trackway.replay.episodes import EpisodeIndex, Window
from trackway.replay.library import Library
from trackway.run import RunFolder, new_manifest, write_manifest
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import new_attempt, scenes_folder

EPISODE_STEPS = 500
FRAME_ROWS = 40
# The columns of a Go1 that replay reads; others only make segments longer.
FIELDS = (
    Field("qpos", "float64", (19,), "m, rad", "positions"),
    Field("reward", "float32", (), "1", "reward of the step"),
    Field("torque", "float32", (12,), "N m", "torques"),
    Field("foot_force", "float32", (4,), "N", "normal force of the floor on FR, FL, RR, RL"),
    Field("foot_contact", "bool", (4,), "1", "whether a foot stands: FR, FL, RR, RL"),
)


def walk(rows: int, num_envs: int) -> dict[str, np.ndarray]:
    """Columns of a frame: something that moves like a robot, `[rows, num_envs, …]`."""
    t = np.arange(rows)[:, None, None] * 0.02 + np.arange(num_envs)[None, :, None]
    qpos = np.sin(t * np.linspace(1, 9, 19)) * 0.3
    qpos[..., 2], qpos[..., 3:7] = 0.3, (1, 0, 0, 0)
    return {
        "qpos": qpos,
        "reward": np.sin(t[..., 0]).astype(np.float32),
        "torque": np.cos(t * np.linspace(1, 9, 12)).astype(np.float32),
        "foot_force": np.maximum(0, np.sin(t * np.linspace(5, 8, 4))).astype(np.float32) * 60,
        "foot_contact": np.sin(t * np.linspace(5, 8, 4)) > 0,
    }


def write_stream(folder: Path, name: str, schema: Schema, num_envs: int, kind: str, frames) -> None:
    """Sealed segments of about 64 MB, as the writer makes them."""
    folder.mkdir(parents=True)
    limit = (64 << 20) // schema.row_bytes(num_envs)
    number, row, handle, digests, rows, salt, seal = 0, 0, None, None, 0, 0, {}
    for columns in frames:
        if handle is None:
            head = SegmentHeader(
                "001-bench", name, number, row, num_envs, schema, kind, previous=seal
            )
            salt = open_segment(head.encode()).salt
            handle = (folder / f"{number:06d}.seg").open("wb")
            handle.write(head.encode())
            digests, rows = Digests(schema, num_envs, seal), 0
        count = len(columns[0])
        handle.write(encode_rows(salt, row, count, columns))
        digests.update(b"".join(column.tobytes() for column in columns), count)
        row, rows = row + count, rows + count
        if rows >= limit:
            seal = digests.hex()
            handle.write(encode_seal(salt, row, rows, seal))
            handle.close()
            handle, number = None, number + 1
    if handle is not None:
        handle.write(encode_seal(salt, row, rows, digests.hex()))
        handle.close()


def piece_frames(records):
    """Frames of a stream of records, about ten records each."""
    batch = []
    for record in records:
        batch += pieces.cut(record)
        if len(batch) > 40:
            yield _columns(batch)
            batch = []
    if batch:
        yield _columns(batch)


def _columns(batch):
    data = np.zeros((len(batch), 1, pieces.PIECE_BYTES), np.uint8)
    for i, (_, text) in enumerate(batch):
        data[i, 0, : len(text)] = np.frombuffer(text, np.uint8)
    flags = np.array([[flag] for flag, _ in batch], np.uint8)
    sizes = np.array([[len(text)] for _, text in batch], np.uint16)
    return [flags, sizes, data]


def write_run(run: Path, rows: int, num_envs: int) -> None:
    vector_rows = rows // num_envs
    attempt = new_attempt(run)
    core = Go1VecEnv(1, Go1Config(), seed=0)
    digest = save_scene(scenes_folder(run), core.model)
    drawn = save_scene(scenes_folder(run), core.render_model())
    frame = list(walk(FRAME_ROWS, num_envs).values())
    frames = (frame for _ in range(vector_rows // FRAME_ROWS))
    write_stream(attempt.path / "steps", "steps", Schema(*FIELDS), num_envs, "columns", frames)
    facts = {"timestep": 0, "unix_s": 0.0}
    events = [
        {"event": "begin", **facts, "num_envs": num_envs},
        {"event": "scene", "physics": digest, "render": drawn, "substeps": 4},
    ]
    write_stream(
        attempt.path / "events", "events", pieces.SCHEMA, 1, pieces.KIND, piece_frames(events)
    )
    rng = np.random.default_rng(0)
    names = ("progress", "velocity_tracking", "yaw_tracking", "gait", "pose")
    state = rng.normal(size=37).tolist()
    ends, starts = [], []
    for episode in range(vector_rows // EPISODE_STEPS):
        for env in range(num_envs):
            first, last = episode * EPISODE_STEPS, (episode + 1) * EPISODE_STEPS - 1
            told = {"env": env, "episode": episode, "unix_s": 1.7e9}
            starts.append(
                {"row": first, **told, "timestep": first * num_envs,
                 "start": {"qpos": state[:19], "qvel": state[:18], "overrides": {}}}
            )  # fmt: skip
            ends.append(
                {"row": last, **told, "timestep": (last + 1) * num_envs,
                 "return": float(rng.normal()), "length": EPISODE_STEPS, "terminated": False,
                 "truncated": True, "termination_reason": "time_limit",
                 "reward_components": {name: float(rng.normal()) for name in names}}
            )  # fmt: skip
    for name, records in (("episodes", ends), ("starts", starts)):
        write_stream(
            attempt.path / name, name, pieces.SCHEMA, 1, pieces.KIND, piece_frames(records)
        )


def timed(says: str, act, limit_s: float | None = None, times: int = 5):
    best_s, result = np.inf, None
    for _ in range(times):
        wall_s = time.perf_counter()
        result = act()
        best_s = min(best_s, time.perf_counter() - wall_s)
    bound = "" if limit_s is None else f"  (bound {limit_s * 1e3:.0f} ms)"
    print(f"{says:58s} {best_s * 1e3:9.1f} ms{bound}")
    return result


DRAWN = "Number(document.querySelector('.viewer canvas')?.dataset.drawn ?? 0)"
# Cards whose robot has been drawn, of those that can be seen.
SHOWN = """[...document.querySelectorAll('.gallery canvas')].filter(c => {
  const box = c.getBoundingClientRect()
  return box.top < innerHeight && c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3] > 0
}).length"""
CARDS = "document.querySelectorAll('.gallery canvas').length"


def cpu_s(*processes: psutil.Process) -> float:
    """Processor time of these processes and all below them, s."""
    family = {
        each for process in processes for each in (process, *process.children(recursive=True))
    }
    total = 0.0
    for process in family:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def in_a_browser(models: Path, cache: Path) -> None:
    """What a person waits for; the run is `models/run`. Beside it processor time, for a busy machine."""
    write_manifest(RunFolder(models / "run"), new_manifest(command=["benchmark"], config={}))
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    flags += ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with serving(models, cache) as (address, server), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(address)
        started = psutil.Process().children(recursive=True)
        ours = [server, *(process for process in started if "chrom" in process.name())]

        def go(says: str, path: str, expression: str, wanted: int, bound: str) -> None:
            page.evaluate("location.hash = '#/runs'")
            page.wait_for_selector("table.runs")
            page.wait_for_timeout(500)  # what was drawn before has come to rest
            spent_s = cpu_s(*ours)
            page.evaluate("path => { location.hash = path }", f"#/run/run/{path}")
            waited_s = until(page, expression, wanted, 60)
            spent_s = cpu_s(*ours) - spent_s
            print(
                f"{says:58s} {waited_s * 1e3:9.1f} ms, {spent_s * 1e3:.0f} of the processor{bound}"
            )

        load = os.getloadavg()[0]
        print(f"in Chromium, drawn by the processor; load {load:.1f} on {os.cpu_count()} cores:")
        go("click to moving robot, cold", "episode/@5000:3", DRAWN, 2, "  (bound 1500 ms)")
        for timestep in (90000, 50000):
            bound = "  (bound with a GPU 300 ms)"
            go("the same, warm", f"episode/@{timestep}:3", DRAWN, 2, bound)
        before, spent_s, began_s = page.evaluate(DRAWN), cpu_s(*ours), time.perf_counter()
        page.wait_for_timeout(5000)
        frames = page.evaluate(DRAWN) - before
        each_s = (cpu_s(*ours) - spent_s) / max(1, frames)
        rate = frames / (time.perf_counter() - began_s)
        width = page.evaluate("document.querySelector('.viewer canvas').width")
        says = f"frames a second, {width} pixels wide"
        print(f"{says:58s} {rate:9.1f}   , {each_s * 1e3:.0f} ms of the processor each  (bound 10)")
        go("gallery of 50", "gallery", CARDS, 50, "  (bound 2000 ms)")
        moving_s = until(page, SHOWN, 12, 60)
        print(f"{'  … until twelve of them have moved':58s} {moving_s * 1e3:9.1f} ms")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--envs", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trackway-bench-") as folder:
        run = Path(folder, "models", "run")
        os.environ["TRACKWAY_CACHE"] = str(Path(folder, "cache"))
        write_run(run, args.rows, args.envs)
        compact_run(run)
        size = sum(path.stat().st_size for path in run.rglob("*.parquet"))
        print(f"{args.rows:,} rows, {args.envs} environments, {size / 1e9:.1f} GB")
        timed("index, the first look at the run", lambda: EpisodeIndex(run), times=1)
        index = timed("index, cold: a new process", lambda: EpisodeIndex(run), 0.05)
        print(f"{len(index):,} episodes")
        middle = args.rows // 2
        timed("find by timestep", lambda: index.find(f"@{middle}:3"), 0.05)
        timed("find by number", lambda: index[len(index) // 2], 0.05)
        window = Window(middle, middle + args.rows / 500)
        timed("worst, median, best of a window", lambda: index.extremes(window), 0.05)
        library = Library(run)
        episode = index.find(f"@{middle}:3")
        timed("read its rows", lambda: library.trajectory(episode))
        packed = timed("make it fit for the wire", lambda: library.web_episode(episode.key))
        print(f"{'on the wire':58s} {len(gzip.compress(packed, 9)) / 1e3:9.1f} kB  (bound 20 kB)")
        scene = library.trajectory(episode).scene
        web = timed("make its scene", lambda: library.web_scene(scene["render"], scene["physics"]))
        print(f"{'its scene':58s} {len(gzip.compress(web, 9)) / 1e3:9.1f} kB  (bound 200 kB)")
        fifty = [index[i] for i in range(0, len(index), max(1, len(index) // 50))][:50]
        timed("50 clips of a gallery", lambda: library.web_clips(fifty, 50), 2.0, times=2)
        if (BUILT / "index.html").exists() and Path("/usr/bin/chromium").exists():
            in_a_browser(run.parent, Path(os.environ["TRACKWAY_CACHE"]))


if __name__ == "__main__":
    main()
