import os

import numpy as np
import pytest
from tests.support.archives import Recorded
from tests.support.clock import FakeClock

from trackway.errors import FormatError
from trackway.storage.archive.compact import compact_run
from trackway.storage.archive.part import open_part
from trackway.storage.parts import part_header
from trackway.storage.reader import Reader

MUTATIONS = int(os.environ.get("TRACKWAY_MUTATIONS", "500"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    recorded = Recorded(run, FakeClock())
    recorded.batch(60)
    recorded.finish()
    (made,) = compact_run(run)
    return made.path.read_bytes(), recorded.everything()


@pytest.mark.timeout(120 + MUTATIONS // 20)
def test_no_mutation_crashes_hangs_or_gives_a_wrong_value(tmp_path, whole):
    data, given = whole
    path = tmp_path / "000000-000001.parquet"
    path.write_bytes(data)
    header = part_header(path)
    with open_part(path) as part:
        assert part.header == header
    luck = np.random.default_rng(int(os.environ.get("TRACKWAY_SEED", "0")))
    refused = 0
    for number in range(MUTATIONS):
        mutated = bytearray(data)
        at = int(luck.integers(len(data)))
        match number % 4:
            case 0:
                mutated[at] ^= 1 << int(luck.integers(8))
            case 1:
                del mutated[at:]
            case 2:
                mutated[at : at + 512] = bytes(len(mutated[at : at + 512]))
            case _:
                mutated[at] = int(luck.integers(256))
        path.write_bytes(mutated)
        assert part_header(path) in (header, None)
        try:
            with open_part(path) as part:
                for field, values in given.items():
                    try:
                        (found,) = part.values([field], slice(0, 60))
                    except FormatError:
                        refused += 1
                        continue
                    assert found.tobytes() == values.tobytes(), (number, at)
        except FormatError:
            refused += 1
    assert refused > MUTATIONS // 2


def test_a_damaged_part_is_named_and_the_rest_reads(tmp_path):
    recorded = Recorded(tmp_path, FakeClock())
    for _ in range(3):
        recorded.batch(20)
        compact_run(tmp_path)
    path = recorded.folder.parts()[1].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 8
    path.write_bytes(data)
    reader = Reader(recorded.folder)

    assert reader.poll().rows.tolist() == [*range(20), *range(40, 60)]
    assert len(reader.faults) == 1
    assert str(path) in reader.faults[0]
