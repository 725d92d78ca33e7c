"""What recording a step costs the training thread, beside other ways to write it down.

    python benchmarks/step_overhead.py [--envs 12 256] [--seconds 2] [--rounds 3] [--no-peers]

    COLUMNS_APART=1 python benchmarks/step_overhead.py      the same numbers as 67 fields

The same data for all, in one run, round by round in turn, 12,000 to 15,000 environment steps a
second. `hot` writes in bursts of 25 vector steps and rests between them; `cold` rests after every
single one, so that caches hold little of what is needed; p99 and worst are of these, for one vector
step. Peers are installed into a temporary folder of the benchmark's own, where they can be.

`hot`, `cold` and `all` are µs of CPU per environment step without what `null` takes, `all` of every
thread and process, `wall` the same by the clock, `bytes` on the disk per environment step. `column`
and `episode` are the time to read one number of all steps, and all numbers of a third of one
environment's; a dash: it cannot be read where it was written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from peers.installed import add_options, install
from peers.known import NEEDS, PACKAGES, PEERS, SLOW
from peers.peer import SCHEMA

STEP_HZ = {12: 1000.0, 256: 60.0}
BURST = 25
TIME = next(field.name for field in SCHEMA if field.name.startswith("time"))


def source(num_envs: int) -> dict[str, np.ndarray]:
    luck = np.random.default_rng(0)
    return {f.name: luck.normal(size=(num_envs, *f.shape)).astype(f.dtype) for f in SCHEMA}


def move(columns: dict[str, np.ndarray], luck: np.random.Generator) -> None:
    """As a simulation does between two steps: new digits everywhere, and warm in the caches."""
    for column in columns.values():
        if column.dtype != bool:
            column += luck.normal()
    columns[TIME][...] = time.perf_counter()


def packed(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same bytes as one block."""
    block = [column.view(np.uint8).reshape(-1) for column in columns.values()]
    return {"packed": np.concatenate(block)}


def drive(name: str, path: Path, num_envs: int, duration_s: float) -> dict[str, float]:
    """One round of one way of writing."""
    given, luck = source(num_envs), np.random.default_rng(1)
    writer = PEERS[name](path, num_envs)
    write = writer.write
    columns = packed(given) if name == "trackway packed" else given
    for _ in range(BURST):
        write(columns)
    result = {}
    steps, cpu_s, began_s = BURST, used_s(), time.perf_counter()
    for kind, burst in (("cold", 1), ("hot", BURST)):
        used_ns, walls_ns = 0, []
        rest_s = burst / STEP_HZ.get(num_envs, 12_000 / num_envs)
        end_s = time.perf_counter() + duration_s / 2
        while time.perf_counter() < end_s:
            move(given, luck)
            columns = packed(given) if name == "trackway packed" else given
            cpu_ns, wall_ns = time.thread_time_ns(), time.perf_counter_ns()
            for _ in range(burst):
                write(columns)
            walls_ns.append(time.perf_counter_ns() - wall_ns)
            used_ns += time.thread_time_ns() - cpu_ns
            time.sleep(rest_s)
        steps += burst * len(walls_ns)
        if kind == "hot":
            result["wall"] = sum(walls_ns) / (burst * len(walls_ns) * num_envs) / 1e3
        result[kind] = used_ns / (burst * len(walls_ns) * num_envs) / 1e3
        if kind == "cold":
            result["p99_us"] = float(np.percentile(walls_ns, 99)) / 1e3
            result["worst_ms"] = max(walls_ns) / 1e6
    result["all"] = (used_s() - cpu_s) / (steps - BURST) / num_envs * 1e6
    result["seconds"] = time.perf_counter() - began_s
    writer.close()
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    result["bytes"] = size / (steps * num_envs)
    third = steps // 3
    numbers = third * sum(int(np.prod(field.shape)) for field in SCHEMA)
    reads = (
        ("column", steps * num_envs, lambda: PEERS[name].column(path)),
        ("episode", numbers, lambda: PEERS[name].episode(path, num_envs, third, 2 * third)),
    )
    for what, expected, read in reads:
        began_s = time.perf_counter()
        found = read()
        result[what] = (time.perf_counter() - began_s) * 1e3 if found >= 0 else float("nan")
        if found not in {-1, expected}:
            raise SystemExit(f"{name}: {found} numbers of {expected} were read ({what})")
    return result


def used_s() -> float:
    """CPU of this process and of its children that live."""
    times = [p.cpu_times() for p in (psutil.Process(), *psutil.Process().children())]
    return float(sum(t.user + t.system for t in times))


def victim(name: str, path: Path, told: Path, num_envs: int) -> None:
    """Write until killed, saying how much was given."""
    given = source(num_envs)
    columns = packed(given) if name == "trackway packed" else given
    writer = PEERS[name](path, num_envs)
    with told.open("r+b") as file:
        count = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")
    while True:
        writer.write(columns)
        count[0] += num_envs
        time.sleep(1 / STEP_HZ.get(num_envs, 12_000 / num_envs))


def lost_in_kills(name: str, folder: Path, num_envs: int, kills: int) -> str:
    """Environment steps lost in each of some kills at random instants."""
    lost = []
    for number in range(kills):
        path, told = folder / f"killed {name} {num_envs} {number}", folder / f"told {name} {number}"
        told.write_bytes(bytes(8))
        command = [sys.executable, __file__, "--victim", name, str(path), str(told), str(num_envs)]
        process = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        )
        while not int.from_bytes(told.read_bytes(), "little") and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0.3, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        given = int.from_bytes(told.read_bytes(), "little")
        try:
            found = PEERS[name].recovered(path)
        except Exception:  # noqa: BLE001 - it cannot be opened: everything is lost
            found = 0
        lost.append("?" if found < 0 else f"{max(0, given - found)}/{given}")
    return " ".join(lost)


def live_lag(folder: Path, num_envs: int, duration_s: float) -> tuple[float, float]:
    """Median and 99th percentile, in ms, from the commit to a reader in another process."""
    path = folder / f"lag {num_envs}"
    code = (
        "import sys, time, json, pathlib, numpy as np\n"
        "from trackway.storage.places import find_stream\n"
        "from trackway.storage.reader import Reader, follow\n"
        "folder = find_stream(pathlib.Path(sys.argv[1]), 'steps')\n"
        "reader, lags = Reader(folder, [sys.argv[2]]), []\n"
        "for batch in follow(reader, folder):\n"
        "    now = time.perf_counter()\n"
        "    lags += (now - batch[sys.argv[2]][:, 0]).tolist()\n"
        "print(json.dumps(np.percentile(lags[len(lags) // 4:], [50, 99]).tolist()))\n"
    )
    writer = PEERS["trackway"](path, num_envs)
    given = source(num_envs)
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(path), TIME],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    end_s = time.perf_counter() + duration_s + 1.0
    while time.perf_counter() < end_s:
        given[TIME][...] = time.perf_counter()
        writer.write(given)
        time.sleep(1 / STEP_HZ.get(num_envs, 12_000 / num_envs))
    writer.close()
    median_s, p99_s = json.loads(reader.communicate()[0])
    return median_s * 1e3, p99_s * 1e3


def available() -> list[str]:
    """The ways that can be measured here; the others are said."""
    names = []
    for name in PEERS:
        if name in NEEDS:
            try:
                importlib.import_module(NEEDS[name])
            except ImportError:
                print(f"left out, {NEEDS[name]} is not there: {name}")
                continue
        names.append(name)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=int, nargs="+", default=[12, 256])
    parser.add_argument("--seconds", type=float, default=2.0, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kills", type=int, default=3)
    add_options(parser)
    parser.add_argument("--victim", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.victim:
        name, path, told, num_envs = args.victim
        victim(name, Path(path), Path(told), int(num_envs))
    folder = Path(tempfile.mkdtemp(prefix="step_overhead-"))
    try:
        packages = {PACKAGES.get(module, module) for module in NEEDS.values()}
        install(args, folder / "peers", packages)
        measure(available(), folder, args)
    finally:
        shutil.rmtree(folder)


def measure(names: list[str], folder: Path, args: argparse.Namespace) -> None:
    for num_envs in args.envs:
        results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for number in range(args.rounds):
            for name in names:
                if name in SLOW and (number or num_envs > 12):
                    continue
                path = folder / f"{name} {num_envs} {number}"
                if name in {"null", "memory copy"}:
                    path.mkdir()
                seconds = args.seconds / 10 if name in SLOW else args.seconds
                results[name].append(drive(name, path, num_envs, seconds))
                shutil.rmtree(path)
        print(
            f"\n{num_envs} environments, 67 numbers in {len(SCHEMA)} fields, "
            f"{SCHEMA.row_bytes(1)} B raw; best of {args.rounds} rounds, per environment step\n"
        )
        head = (
            "hot", "x ours", "cold", "x ours", "wall", "all", "p99 us", "worst ms", "bytes",
            "column ms", "episode ms",
        )  # fmt: skip
        print(" " * 20 + "".join(f"{title:>11}" for title in head) + "   lost in kills")
        best = {
            name: {key: min(r[key] for r in rounds) for key in rounds[0]}
            for name, rounds in results.items()
            if rounds
        }
        null, ours = best["null"], best["trackway registered"]
        for name, told in best.items():
            cost = {key: told[key] - null[key] for key in ("hot", "cold", "all", "wall")}
            lost = ""
            if name not in {"null", "memory copy", "trackway in place"} | SLOW:
                lost = lost_in_kills(name, folder, num_envs, args.kills)
            figures = (
                f"{cost['hot']:.3f}",
                f"{cost['hot'] / (ours['hot'] - null['hot']):.1f}",
                f"{cost['cold']:.3f}",
                f"{cost['cold'] / (ours['cold'] - null['cold']):.1f}",
                f"{cost['wall']:.3f}",
                f"{cost['all']:.2f}",
                f"{told['p99_us']:.1f}",
                f"{told['worst_ms']:.2f}",
                f"{told['bytes']:.0f}",
                *("-" if np.isnan(told[k]) else f"{told[k]:.1f}" for k in ("column", "episode")),
            )
            print(f"{name:20}" + "".join(f"{figure:>11}" for figure in figures) + f"   {lost}")
        median_ms, p99_ms = live_lag(folder, num_envs, args.seconds)
        print(f"\nlive lag of trackway: median {median_ms:.2f} ms, p99 {p99_ms:.2f} ms")


if __name__ == "__main__":
    main()
