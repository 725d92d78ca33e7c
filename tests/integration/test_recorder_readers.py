"""Two who read while one writes, and containers with little shared memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trackway import Field, Recorder, Schema, read

READER = """
import sys
from pathlib import Path
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader, follow

folder = find_stream(Path(sys.argv[1]), "steps")
expected = 0
print("reading", flush=True)
for batch in follow(Reader(folder), folder):
    for row, values in zip(batch.rows.tolist(), batch["row"].tolist(), strict=True):
        assert row == expected and values == [row] * 3, (row, expected, values)
        expected += 1
print(expected)
"""


def test_two_readers_see_every_row_once_and_in_order_while_it_is_written(tmp_path):
    schema = Schema(Field("row", "int64"), Field("ballast", "float64", (50,)))
    # A small ring: both fall behind and go on from the journal.
    with Recorder(tmp_path, ring_bytes=200_000, segment_bytes=400_000) as recorder:
        stream = recorder.stream("steps", schema, num_envs=3)
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, tmp_path], stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for reader in readers:
            assert reader.stdout.readline() == "reading\n"
        for row in range(5000):
            stream.write({"row": np.full(3, row), "ballast": np.zeros((3, 50))})
    said = [reader.communicate(timeout=100)[0] for reader in readers]

    assert said == ["5000\n", "5000\n"]


@pytest.fixture
def container(tmp_path):
    """Shared memory of 64 MB, as containers have it."""
    folder = tmp_path / "shm"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small tmpfs needs privileges that this machine does not give")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_shared_memory_of_64_mb_takes_what_fits_and_is_never_overcommitted(tmp_path, container):
    schema = Schema(Field("value", "float64", (100,)))
    values = np.arange(400.0).reshape(4, 100)
    with Recorder(tmp_path / "run", shared_memory=container) as recorder:
        streams = [recorder.stream(f"s{number}", schema, num_envs=4) for number in range(6)]
        recorder.records("events").append({"event": "begin"})
        inside = [s.memory.is_relative_to(container) for s in streams]
        free = os.statvfs(container)
        # Somebody else (a data loader) takes the rest: no row may die of it.
        (container / "ballast").write_bytes(bytes(free.f_bavail * free.f_frsize))
        for _ in range(6000):
            for stream in streams:
                stream.write({"value": values})

    assert inside == [True, True, False, False, False, False]
    for number in range(6):
        assert (read(tmp_path / "run", f"s{number}")["value"] == values).all()
        assert len(read(tmp_path / "run", f"s{number}")) == 6000
    assert not list(Path(container).glob("trackway-*/*"))
