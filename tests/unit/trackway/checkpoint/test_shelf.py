"""What a policy lets go goes, and a whole checkpoint stays whatever happens."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from trackway.checkpoint.archive import with_members
from trackway.checkpoint.retention import Policy
from trackway.checkpoint.shelf import Shelf


def saved(folder: Path, number: int, **facts: object) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", b"weights")
    path = folder / f"checkpoint_2025010{number}_120000.zip"
    manifest = {"timestep": number, "number": number, **facts}
    path.write_bytes(with_members(buffer.getvalue(), {}, manifest, 1.7e9))
    return path


def names(paths: list[Path]) -> list[int]:
    return [int(path.stem[18]) for path in paths]


def test_a_damaged_newest_keeps_nobody_from_staying(tmp_path: Path) -> None:
    for number in (1, 2):
        saved(tmp_path, number)
    newest = saved(tmp_path, 3)
    newest.write_bytes(newest.read_bytes()[:-40])
    shelf = Shelf(tmp_path, Policy(keep_last=1))

    assert names(shelf.doomed()) == [1]
    shelf.added(saved(tmp_path, 4))
    assert names(shelf.doomed()) == [1, 2]


def test_what_another_training_left_in_the_folder_is_older_whatever_its_number(
    tmp_path: Path,
) -> None:
    for number in (7, 8):
        saved(tmp_path, number)
    shelf = Shelf(tmp_path, Policy(keep_last=2))
    for number in (0, 1):
        shelf.added(saved(tmp_path, number))

    assert names(shelf.doomed()) == [7, 8]


def test_pinned_ones_and_the_best_stay(tmp_path: Path) -> None:
    paths = [saved(tmp_path, n, metric=m) for n, m in enumerate([1.0, 9.0, 2.0, 3.0, None])]
    paths[0].with_name(paths[0].name + ".pin").touch()
    shelf = Shelf(tmp_path, Policy(keep_last=1, keep_best=1))

    assert names(shelf.doomed()) == [2, 3]
    shelf.remove(shelf.doomed())
    assert names(sorted(tmp_path.glob("*.zip"))) == [0, 1, 4]
    assert shelf.doomed() == []


def test_rows_stay_while_somebody_names_them(tmp_path: Path) -> None:
    rows = tmp_path / "replay"
    rows.mkdir()
    for name in ("a", "b"):
        (rows / name).touch()
    saved(tmp_path, 1, replay=["a", "b"])
    saved(tmp_path, 2, replay=["b"])
    shelf = Shelf(tmp_path, Policy(keep_last=1))
    shelf.remove(shelf.doomed())

    assert [path.name for path in rows.iterdir()] == ["b"]
