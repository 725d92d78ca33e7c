"""The power goes, or the disk refuses, while checkpoints are saved: the last whole one is always there.

TRACKWAY_CRASH_SAMPLES=4000 pytest tests/crash/test_checkpoint_states.py
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import zipfile
from pathlib import Path

import orjson
import pytest
from tests.support.disk import RecordingDisk

from trackway import files
from trackway.checkpoint.choose import choose, list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.errors import CheckpointError
from trackway.legacy.json_layout import JsonLayout

SAMPLES = int(os.environ.get("TRACKWAY_CRASH_SAMPLES", "100"))
SOAK = SAMPLES >= 4000
COUNT = 9 if SOAK else 5
pytestmark = pytest.mark.crash


def weights(number: int) -> bytes:
    return random.Random(number).randbytes(900 + 3000 * number)


def message(number: int, zips: Path) -> dict:
    """Checkpoint `number`, as the trainer sends it; its timestep is a hundred times its number."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # Of no date: the same message twice has the same bytes.
        archive.writestr(zipfile.ZipInfo("data"), "{}")
        archive.writestr(zipfile.ZipInfo("policy.pth"), weights(number))
    stem = f"checkpoint_20250101_12000{number}"
    return {
        "kind": "checkpoint",
        "unix_s": 1735700000.0 + number,
        "stem": stem,
        "zip": buffer.getvalue(),
        "members": {"counters.json": orjson.dumps({"timestep": 100 * number})},
        "manifest": {"timestep": 100 * number, "number": number},
        "record": {
            "timestep": 100 * number,
            "recovery_info": {"model_path": str(zips / f"{stem}.zip")},
            "compatibility": {},
        },
    }


class Saving:
    """The writer's sink without its process: every call runs here."""

    def __init__(self, run: Path, keep_last: int | None = None) -> None:
        self.run, self.acknowledged, self._keep_last = run, 0, keep_last
        self._ended: set[int] = set()
        self.sink = JsonLayout()
        self.open()

    @property
    def zips(self) -> Path:
        return self.run / "checkpoints"

    def open(self) -> None:
        recording = {"folder": str(self.run / "realtime_data"), "zip_folder": str(self.zips)}
        recording |= {"policy": {"keep_last": self._keep_last}}
        opening = {"kind": "open", "recording": recording, "totals": {}, "environment": {}}
        opening |= {"derivation": None}
        self.sink.handle(0, opening, {})

    def save(self, number: int) -> None:
        """An episode ends, then a checkpoint is taken that counts it."""
        if number not in self._ended:
            self._ended.add(number)
            episode = {"kind": "episodes", "records": [{"timestep": 100 * number}]}
            self.sink.handle(50 + number, episode, {})
        self.sink.handle(number, message(number, self.zips), {})
        self.acknowledged = number


def fault(run: Path, acknowledged: int) -> str | None:
    """What is wrong with what lies there, if anything is."""
    found = choose(run / "checkpoints").checkpoint
    if found is None:
        return "no checkpoint is left" if acknowledged else None
    number = found.timestep // 100
    if number < acknowledged:
        return f"checkpoint {acknowledged} was acknowledged, {number} is the newest whole one"
    with zipfile.ZipFile(found.path) as archive:
        if archive.read("policy.pth") != weights(number):
            return "the weights are not those that were saved"
    told = sorted(t for t in episodes(run) if t <= found.timestep)
    if told != [100 * n for n in range(1, number + 1)]:
        return f"checkpoint {number} counts episodes that are not there once: {told}"
    for path in (run / "realtime_data" / "checkpoints").glob("checkpoint_*.json"):
        try:
            record = orjson.loads(path.read_bytes())
            read_checkpoint(run / "checkpoints" / f"{path.stem}.zip")
        except (ValueError, CheckpointError) as error:
            return f"{path.name} points to nothing whole: {error}"
        if record["timestep"] != int(path.stem[-1]) * 100:
            return f"{path.name} tells of another checkpoint"
    return None


def episodes(run: Path) -> list[int]:
    found: list[int] = []
    for path in (run / "realtime_data" / "episodes").glob("*.json"):
        try:
            found += [record["timestep"] for record in orjson.loads(path.read_bytes())]
        except ValueError:
            found.append(-1)  # no file of records
    return found


def crash_states(
    tmp_path: Path,
    samples: int,
    forget: frozenset[str] = frozenset(),
    keep_last: int | None = None,
):
    """The faults that were found, and how many distinct states were looked at."""
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        saving = Saving(run, keep_last)
        disk = RecordingDisk(patch, lambda: saving.acknowledged, forget)
        for number in range(1, COUNT + 1):
            saving.save(number)
    found, seen = [], set()
    for acknowledged, state in disk.crash_states(samples, random.Random(3)):
        digest = hashlib.blake2b(repr((acknowledged, sorted(state.items()))).encode()).digest()
        if digest in seen:
            continue
        seen.add(digest)
        after = tmp_path / "after" / str(len(seen))
        for folder in ("checkpoints", "realtime_data/checkpoints", "realtime_data/episodes"):
            (after / folder).mkdir(parents=True)
        for path, data in state.items():
            (after / Path(path).relative_to(run)).write_bytes(data)
        if said := fault(after, acknowledged):
            found.append(said)
    return found, len(seen)


@pytest.mark.timeout(120 + SAMPLES)
def test_after_a_power_cut_at_any_operation_the_last_saved_checkpoint_is_whole(tmp_path):
    # Some operations take older ones away: whoever keeps all does the others alone.
    found, states = crash_states(tmp_path, SAMPLES, keep_last=2)

    assert found == []
    assert states > (10_000 if SOAK else 250)


@pytest.mark.parametrize(
    ("forgotten", "says"),
    [("sync", "acknowledged"), ("sync folder", "no checkpoint is left")],
)
def test_a_forgotten_sync_would_be_found(tmp_path, forgotten, says):
    found, _ = crash_states(tmp_path, 3, frozenset({forgotten}))

    assert any(says in each for each in found)


def in_place(path: Path, data: bytes) -> None:
    files.make_folder(path.parent)
    handle = files.create_append(path, b"")
    handle.append(data)
    handle.sync_data()
    handle.close()


def unchecked(path: Path, data: bytes) -> None:
    """Renamed before its content is durable."""
    files.make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    handle = files.create_append(temporary, b"")
    handle.append(data)
    files.rename(temporary, path)
    handle.close()


def test_a_record_before_its_zip_would_be_found(tmp_path, monkeypatch):
    """Written in the other order, a record points to a zip that is not there."""
    plain, held = files.publish_new, []

    def other_order(path: Path, data: bytes) -> None:
        held.append((path, data))
        if len(held) == 2:
            for each in reversed(held):
                plain(*each)
            held.clear()

    monkeypatch.setattr("trackway.legacy.json_layout.publish_new", other_order)

    assert any("points to nothing whole" in said for said in crash_states(tmp_path, 3)[0])


def test_a_zip_that_goes_before_its_record_would_be_found(tmp_path, monkeypatch):
    plain, held = files.remove_all, []

    def other_order(folder: Path, paths: list[Path]) -> None:
        held.append((folder, paths))
        if len(held) == 2:
            for each in reversed(held):
                plain(*each)
            held.clear()

    monkeypatch.setattr(files, "remove_all", other_order)

    found, _ = crash_states(tmp_path, 3, keep_last=2)
    assert any("points to nothing whole" in said for said in found)


@pytest.mark.parametrize("way", [in_place, unchecked])
def test_another_way_of_writing_would_be_found(tmp_path, monkeypatch, way):
    monkeypatch.setattr("trackway.legacy.json_layout.publish_new", way)

    assert crash_states(tmp_path, 6)[0] != []


class FailingDisk:
    """Stands in for `os` in the one module that writes, and fails at one call, or from it on."""

    def __init__(self, at: int, error: int, *, forever: bool = False, cut: bool = False) -> None:
        self.calls, self._at, self._error = 0, at, error
        self._forever, self._cut = forever, cut

    def __getattr__(self, name: str):
        return getattr(os, name)

    def _fail(self) -> bool:
        self.calls += 1
        return self.calls == self._at or (self._forever and self.calls > self._at)

    def open(self, path, flags, *mode):
        if flags & os.O_CREAT and self._fail() and not self._cut:
            raise OSError(self._error, os.strerror(self._error), str(path))
        return os.open(path, flags, *mode)

    def pwrite(self, handle, data, offset):
        if self._fail():
            done = os.pwrite(handle, data[: len(data) // 2], offset)  # some of it stands there
            if self._cut:
                return done
            raise OSError(self._error, os.strerror(self._error))
        return os.pwrite(handle, data, offset)

    def fdatasync(self, handle):
        self._sync(os.fdatasync, handle)

    def fsync(self, handle):
        self._sync(os.fsync, handle)

    def _sync(self, plain, handle):
        if self._fail() and not self._cut:
            raise OSError(self._error, os.strerror(self._error))
        plain(handle)

    def link(self, old, new):
        if self._fail() and not self._cut:
            raise OSError(self._error, os.strerror(self._error))
        os.link(old, new)


def calls_of_one_save(tmp_path: Path) -> range:
    disk = FailingDisk(0, 0)
    saving = Saving(tmp_path / "counted")
    saving.save(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "os", disk)
        saving.save(2)
    return range(1, disk.calls + 1)


@pytest.mark.parametrize("fault_name", ["ENOSPC", "EIO", "short write"])
def test_a_disk_that_fails_at_any_call_costs_nothing_and_the_next_try_succeeds(
    tmp_path, monkeypatch, fault_name
):
    cut = fault_name == "short write"
    error = 0 if cut else getattr(errno, fault_name)
    calls = calls_of_one_save(tmp_path)
    assert len(calls) >= 10
    for at in calls:
        saving = Saving(tmp_path / str(at))
        saving.save(1)
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", FailingDisk(at, error, cut=cut))
            try:
                saving.save(2)
            except OSError:
                assert not cut
                assert fault(saving.run, 1) is None
                saving.save(2)  # as the writer does
        assert fault(saving.run, 2) is None
        assert len(list_checkpoints(saving.zips)) == 2
        left = [path.name for path in saving.run.rglob("*") if path.name.endswith(".tmp")]
        assert left == []


def test_a_disk_that_refuses_from_any_call_on_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    for at in calls_of_one_save(tmp_path):
        saving = Saving(tmp_path / str(at))
        saving.save(1)
        with monkeypatch.context() as patch:
            patch.setattr(files, "os", FailingDisk(at, errno.ENOSPC, forever=True))
            for _ in range(3):
                with pytest.raises(OSError, match="No space"):
                    saving.save(2)
        assert fault(saving.run, 1) is None
        saving.save(2)
        assert fault(saving.run, 2) is None
