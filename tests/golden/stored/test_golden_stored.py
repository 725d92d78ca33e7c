"""Notes of rows that lie in a store, of every version that was ever written."""

import shutil

from trackway.format.stored import StoredRows
from trackway.storage.places import StreamFolder
from trackway.storage.stored import stored_rows

V1 = StoredRows(
    store="s3://bucket/lab",
    run="2025-01-01_12-00-00-걷기",
    files=(
        "realtime_data/streams/001-3f9a2c/steps/000000.seg",
        "realtime_data/streams/001-3f9a2c/steps/000001.seg",
    ),
    first_row=0,
    next_row=51_200,
    size_bytes=17_408_000,
)


def test_version_1_still_tells_what_lies_where(request, tmp_path):
    shutil.copy(request.path.with_name("v1.stored"), tmp_path / "000000-000001.stored")

    assert stored_rows(StreamFolder(tmp_path)) == [V1]
