"""The power goes: what was durable is there, what is there is right, and recording can go on."""

import hashlib
import random
from pathlib import Path

import pytest
from tests.support.disk import RecordingDisk
from tests.support.segments import rows
from tests.support.streams import Bench

from trackway import files
from trackway.errors import StreamError
from trackway.storage import ring
from trackway.storage.journal import JournalSpec
from trackway.storage.limits import Limits
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader
from trackway.storage.recovery import open_journal

ROWS = rows(0, 1000)
pytestmark = pytest.mark.crash


def workload(bench):
    """Rows in frames of several sizes, syncs, takeovers by another writer, sealing."""
    for step in range(24):
        bench.commit(1 + 5 * step % 9)
        bench.step(0.0 if step % 3 else 0.3)
        if step in {5, 14}:
            bench.drain.close()
            bench.drain = bench.new_drain()
    bench.stream.close()
    assert bench.drain.finish("closed")
    bench.drain.close()


def violations(tmp_path, samples=8, forget=frozenset(), **settings):
    """What each crash state breaks, and how many distinct states were looked at."""
    bench = Bench(tmp_path / "run", segment_rows=20, **settings)
    with pytest.MonkeyPatch.context() as patch:
        # Release of rows is the promise: a row that left the ring is on the disk.
        disk = RecordingDisk(patch, lambda: bench.ring.words[ring.TAIL], forget)
        workload(bench)
    found, seen = [], set()
    folder = tmp_path / "after"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.AppendFile, "sync_data", lambda _: None)
        patch.setattr(files, "sync_folder", lambda _: None)
        patch.setattr(files, "publish", Path.write_bytes)
        for promised, state in disk.crash_states(samples, random.Random(7)):
            digest = hashlib.blake2b(repr((promised, sorted(state.items()))).encode()).digest()
            if digest in seen:
                continue
            seen.add(digest)
            stream = StreamFolder(folder / str(len(seen)) / "001-000000" / "steps")
            stream.path.mkdir(parents=True)
            for path, data in state.items():
                if Path(path).parent == bench.folder.path:
                    (stream.path / Path(path).name).write_bytes(data)
            fault = look(bench, stream, promised, settings)
            if fault:
                found.append(fault)
    kept = Reader(bench.folder).poll().rows.tolist()
    assert kept == list(range(kept[0], bench.stream.committed))
    assert (kept[0] > 0) == ("limits" in settings)
    return found, len(seen)


def look(bench, stream, promised, settings):
    before = readable(stream)
    if isinstance(before, str):
        return before
    begins = 0 if "limits" not in settings else min(before, default=promised)
    missing = set(range(begins, promised)) - before
    if missing:
        return f"rows {sorted(missing)} were durable and are gone"
    spec = bench.ring.spec
    journal = open_journal(
        stream,
        JournalSpec(spec.kind, spec.num_envs, spec.schema, spec.segment_rows, spec.limits),
        bench.clock,
    )
    number = journal.next_row
    journal.append(rows(number, 1))
    journal.finish("closed")
    after = readable(stream)
    if isinstance(after, str):
        return after
    if not before | {number} <= after:
        return f"going on cost rows {sorted((before | {number}) - after)}"
    return None


def readable(stream):
    """Numbers of the rows that can be read, or what is wrong with one."""
    try:
        records = Reader(stream).poll()
    except StreamError:
        return set()
    for column, given in zip(records.columns.values(), ROWS, strict=True):
        if column.tobytes() != given[records.rows].tobytes():
            return f"rows {records.rows} are not what was committed"
    return set(records.rows.tolist())


def test_what_was_durable_is_there_after_a_power_cut_at_any_operation(tmp_path):
    found, states = violations(tmp_path)

    assert found == []
    assert states > 200


def test_limits_by_size_drop_the_oldest_rows_only(tmp_path):
    found, states = violations(tmp_path, samples=4, limits=Limits(max_bytes=9000))

    assert found == []
    assert states > 80


@pytest.mark.parametrize("forgotten", ["sync", "sync folder"])
def test_a_forgotten_sync_would_be_found(tmp_path, forgotten):
    found, _ = violations(tmp_path, samples=1, forget=frozenset({forgotten}))

    assert any("were durable and are gone" in fault for fault in found)
