"""`python test_realtime_saving.py`, and that it finds what is wrong."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from go1.vec_env import Go1VecEnv
from trackway.legacy import selfcheck

ROOT = Path(__file__).parents[2]


def test_the_program_trains_checks_and_ends_well():
    command = [sys.executable, "test_realtime_saving.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^  ok ", done.stdout, re.MULTILINE)) == 7
    assert "All is well." in done.stdout


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> selfcheck.SelfCheck:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selfcheck, "STEPS", 1024)
        patch.setattr(selfcheck, "SAVE_EVERY", 300)
        patch.setattr(selfcheck, "CHECKPOINT_EVERY", 500)
        found = selfcheck.SelfCheck(lambda: Go1VecEnv(2, seed=0), tmp_path_factory.mktemp("check"))
        found.train()
    return found


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _strip(path: Path) -> None:
    records = json.loads(path.read_bytes())
    del records[0]["environment_summary"]["obs_scale"]
    path.write_text(json.dumps(records))


def _edit(key: str, value: object):
    def edit(path: Path) -> None:
        records = json.loads(path.read_bytes())
        for record in records:
            record[key] = value
        path.write_text(json.dumps(records))

    return edit


@pytest.mark.parametrize(
    ("pattern", "harm", "sentence"),
    [
        ("realtime_data/hyperparameters/*.json", _cut, "FAILED  Every folder is there"),
        ("realtime_data/episodes/*.json", Path.unlink, "FAILED  Every finished episode"),
        ("realtime_data/episodes/*.json", _edit("episode_return", 1.25), "1.25 is recorded"),
        ("realtime_data/environment_states/*.json", _edit("rand_power", [9, 9]), "off the curric"),
        ("realtime_data/environment_states/*.json", _strip, "summary.obs_scale is missing"),
        ("realtime_data/learning_metrics/*.json", _edit("loss", None), "loss is None"),
        ("checkpoints/*.zip", _flip, "FAILED  Every checkpoint has a whole model"),
    ],
)
def test_harm_to_any_file_is_found(checked, capsys, monkeypatch, pattern, harm, sentence):
    for name, value in (("STEPS", 1024), ("SAVE_EVERY", 300), ("CHECKPOINT_EVERY", 500)):
        monkeypatch.setattr(selfcheck, name, value)
    assert checked.check(), capsys.readouterr().out
    # Of episodes' files one in which an episode ended: on a slow machine the last has snapshots alone.
    ended = b'"record": "episode"' if "episodes" in pattern else b""
    victim = max(p for p in checked.experiment.glob(pattern) if ended in p.read_bytes())
    whole = victim.read_bytes()
    try:
        harm(victim)

        assert not checked.check()
        assert sentence in capsys.readouterr().out
    finally:
        victim.write_bytes(whole)
