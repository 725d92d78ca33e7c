import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from trackway.query.other_files import look_at_other_files
from trackway.storage.packs import pack

GOLDEN = Path(__file__).parents[3] / "golden" / "checkpoint"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One of each: a manifest, packed records, a model, a scene in both its forms."""
    run = tmp_path / "run"
    episodes, scenes = run / "realtime_data" / "episodes", run / "realtime_data" / "scenes"
    for folder in (episodes, scenes, run / "checkpoints"):
        folder.mkdir(parents=True)
    (run / "run.json").write_bytes(b'{"status": "finished"}')
    for number in range(4):
        name = f"episodes_20250101_12000{number}.json"
        (episodes / name).write_bytes(b'[{"return": %d}]' % number)
    pack(episodes, 0)
    shutil.copy(min(GOLDEN.glob("*.zip")), run / "checkpoints" / "checkpoint_20250101_120000.zip")
    np.savez(scenes / "model.npz", qpos0=np.arange(9.0))
    model = np.arange(99.0).tobytes()
    (scenes / f"{hashlib.sha256(model).hexdigest()}.mjb").write_bytes(model)
    return run


def test_what_is_whole_is_told_so(run: Path) -> None:
    found = dict(look_at_other_files(run))

    assert {path.suffix for path in found} == {".json", ".zip", ".npz", ".mjb"}
    assert set(found.values()) == {""}


@pytest.mark.parametrize(
    "kind", ["run.json", "episodes/*.zip", "checkpoint_*.zip", "*.npz", "*.mjb"]
)
@pytest.mark.parametrize("harm", ["cut", "flipped"])
def test_a_damaged_file_is_named_and_no_other(run: Path, kind: str, harm: str) -> None:
    (path,) = run.rglob(kind)
    data = bytearray(path.read_bytes())
    data[min(65, len(data) // 2)] ^= 0x80  # behind a zip's own header, whose time nobody reads
    path.write_bytes(data if harm == "flipped" else data[: len(data) // 2])
    told = [fault for _, fault in look_at_other_files(run) if fault]

    assert len(told) == 1
    assert str(path) in told[0]
