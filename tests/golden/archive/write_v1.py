"""Wrote `v1.parquet` and `v1-records.parquet`, once. They stay as they are."""

import sys
import tempfile
from pathlib import Path

from tests.support.archives import Recorded, record_texts
from tests.support.clock import FakeClock

from trackway.storage.archive.compact import compact_run

RECORDS = [b'{"n":%d,"text":"%s"}' % (n, "é".encode() * (n * 37)) for n in range(9)]
BATCHES = (5, 3)


def main(columns: Path, records: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recorded = Recorded(Path(folder) / "a", FakeClock())
        for count in BATCHES:
            recorded.batch(count)
            recorded.journal.note({"note": "waited", "times": 1, "seconds": 0.25})
        recorded.finish()
        (made,) = compact_run(recorded.run)
        columns.write_bytes(made.path.read_bytes())
        record_texts(Path(folder) / "b", FakeClock(), RECORDS, per_segment=1000)
        (made,) = compact_run(Path(folder) / "b")
        records.write_bytes(made.path.read_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
