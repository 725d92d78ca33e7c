"""A store of every version that was ever written opens for ever."""

import shutil
from pathlib import Path

from tests.support.streams import assert_rows

from trackway.storage.places import attempts
from trackway.storage.reader import Reader
from trackway.sync import lease
from trackway.sync.folder_store import FolderStore
from trackway.sync.mirror import Mirror, runs

GOLDEN = Path(__file__).parent / "v1"


def test_a_store_of_version_1_is_read(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "store")
    store = FolderStore(tmp_path / "store")

    mirror = Mirror(store, "걷기", tmp_path / "there")
    mirror.poll()

    assert runs(store) == ["걷기"]
    (attempt,) = attempts(mirror.path)
    assert_rows(Reader(attempt.stream("steps")).poll(), range(60))
    zipped = mirror.path / "checkpoints" / "checkpoint_1.zip"
    assert zipped.read_bytes() == bytes(range(256)) * 4200
    first, second = lease.epochs(store, "runs/=EA=B1=B7=EA=B8=B0/0/")
    assert (first.number, second.number, second.writer) == (1, 2, "another")
    assert second.ends == {"live": 0, "models": 1, "steps": 3}
