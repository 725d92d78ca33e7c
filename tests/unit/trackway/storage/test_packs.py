import os
import subprocess
import sys
import zipfile

import numpy as np
import orjson
import pytest

from trackway import files
from trackway.cli.main import main
from trackway.errors import FormatError
from trackway.run import create_run, new_manifest, write_manifest
from trackway.storage.packs import count_files, pack, packs, read_files, unpack

MUTATIONS = int(os.environ.get("TRACKWAY_MUTATIONS", "300"))


def fill(folder, count=50):
    folder.mkdir(parents=True)
    for number in range(count):
        records = [{"timestep": number * 10 + i, "text": "é" * 50} for i in range(20)]
        (folder / f"episodes_20250101_12{number:04d}.json").write_bytes(orjson.dumps(records))
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


def test_readers_see_no_difference_and_the_newest_stay_as_they_are(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder)
    packed = pack(folder, keep=20)

    assert packed.files == 30
    assert packed.after_bytes < packed.before_bytes / 5
    assert sorted(path.name for path in folder.glob("*.json")) == sorted(given)[30:]
    assert dict(read_files(folder)) == given
    assert [name for name, _ in read_files(folder)] == sorted(given)
    assert count_files(folder) == 50
    assert pack(folder, keep=20) is None
    assert unpack(folder) == 30
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == given


def test_any_zip_program_makes_the_files_again(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder)
    path = pack(folder, keep=0).path
    subprocess.run([sys.executable, "-m", "zipfile", "-e", path, tmp_path / "out"], check=True)

    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == given


def test_a_power_cut_between_pack_and_removal_doubles_nothing(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder)
    pack(folder)
    for name in sorted(given)[:9]:
        (folder / name).write_bytes(given[name])

    assert dict(read_files(folder)) == given
    pack(folder)
    assert len(list(folder.glob("*.json"))) == 20
    changed = sorted(given)[3]
    (folder / changed).write_bytes(b"[]")
    pack(folder)
    assert dict(read_files(folder)) == given | {changed: b"[]"}


def test_a_damaged_pack_is_named_and_gives_no_wrong_value(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder, 30)
    path = pack(folder, keep=0).path
    data, luck, refused = path.read_bytes(), np.random.default_rng(0), 0
    for number in range(MUTATIONS):
        mutated = bytearray(data)
        at = int(luck.integers(len(data)))
        match number % 3:
            case 0:
                mutated[at] ^= 1 << int(luck.integers(8))
            case 1:
                del mutated[at:]
            case _:
                mutated[at : at + 64] = bytes(len(mutated[at : at + 64]))
        path.write_bytes(mutated)
        try:
            found = dict(read_files(folder))
        except FormatError as error:
            refused += str(path) in str(error)
            continue
        # A flipped byte in a name or date changes no content.
        assert set(found.values()) <= set(given.values()), (number, at)
    assert refused > MUTATIONS // 3


def test_a_member_cannot_leave_its_folder(tmp_path):
    folder = tmp_path / "episodes"
    folder.mkdir()
    with zipfile.ZipFile(folder / "a--b.zip", "w") as packed:
        packed.writestr("../evil.json", b"[]")

    with pytest.raises(FormatError, match="evil"):
        unpack(folder)
    assert not (tmp_path / "evil.json").exists()


def test_pack_and_unpack_by_hand(tmp_path, capsys):
    run = create_run(tmp_path, "one")
    write_manifest(run, new_manifest(command=["train.py"], config={}) | {"status": "finished"})
    given = fill(run.realtime_data / "episodes")
    assert main(["pack", run.name, "--models", str(tmp_path)]) == 0
    assert "30 files" in capsys.readouterr().out
    assert main(["show", run.name, "--models", str(tmp_path), "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["records"]["episodes"] == 50
    assert main(["unpack", run.name, "--models", str(tmp_path)]) == 0
    assert packs(run.realtime_data / "episodes") == []
    assert dict(read_files(run.realtime_data / "episodes")) == given


def test_old_runs_are_packed_by_policy(tmp_path, capsys):
    run = create_run(tmp_path, "one")
    write_manifest(run, new_manifest(command=["train.py"], config={}) | {"status": "finished"})
    folder = run.realtime_data / "episodes"
    given = fill(folder)
    os.utime(run.manifest, (1e9, 1e9))
    (tmp_path / "retention.toml").write_text("packed_days = 7\n")
    assert main(["clean", str(tmp_path), "--dry-run"]) == 0
    assert "packed" in capsys.readouterr().out
    assert packs(folder) == []
    assert main(["clean", str(tmp_path)]) == 0
    assert len(packs(folder)) == 1
    assert dict(read_files(folder)) == given


def test_what_was_last_written_stays_though_its_name_is_old(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder)
    set_back = folder / sorted(given)[4]
    os.utime(set_back, (2e9, 2e9))
    pack(folder, keep=20)

    assert set_back.exists()
    assert len(list(folder.glob("*.json"))) == 21


def test_a_name_that_came_twice_keeps_both_contents(tmp_path):
    folder = tmp_path / "episodes"
    given = fill(folder)
    name = sorted(given)[3]
    pack(folder)
    (folder / name).write_bytes(b"[]")
    unpack(folder)

    assert (folder / name).read_bytes() == b"[]"
    assert (folder / name.replace(".json", "_2.json")).read_bytes() == given[name]


def test_only_one_packs_at_a_time_and_a_killed_one_leaves_nothing(tmp_path):
    folder = tmp_path / "episodes"
    fill(folder)
    (folder / ".a--b.zip.1-0.tmp").write_bytes(b"half")
    held = files.lock(folder)
    assert pack(folder) is None
    held.release()
    assert pack(folder).files == 30
    assert not (folder / ".a--b.zip.1-0.tmp").exists()
