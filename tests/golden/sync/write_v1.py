"""Write the golden store of version 1: python tests/golden/sync/write_v1.py. Once; then never again."""

import tempfile
from pathlib import Path

from tests.support.streams import Bench

from trackway import files
from trackway.run import RunFolder
from trackway.sync import layout, lease
from trackway.sync.folder_store import FolderStore
from trackway.sync.shipper import Shipper


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "걷기", capacity=64, segment_rows=40)
        store = FolderStore(Path(__file__).parent / "v1")
        shipper = Shipper(RunFolder(bench.run), store, clock=bench.clock)
        for _ in range(3):
            bench.commit(20)
            bench.step()
            shipper.ship()
        files.publish(bench.run / "realtime_data/checkpoints/checkpoint_1.json", b"{}")
        files.publish(bench.run / "checkpoints/checkpoint_1.zip", bytes(range(256)) * 4200)
        shipper.ship()
        shipper.close()
        lease.claim(store, layout.rank_prefix(bench.run.name, 0), "another", bench.clock)


if __name__ == "__main__":
    main()
