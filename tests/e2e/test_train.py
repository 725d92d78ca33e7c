"""`train.py` as a person runs it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from stable_baselines3 import PPO

from go1.training.main import main
from trackway import read
from trackway.cli.main import main as cli
from trackway.run import RunFolder, list_runs, read_manifest, status

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SOAK = "TRACKWAY_SOAK" in os.environ

ROOT = Path(__file__).parents[2]
SMALL = (  # noqa: SIM905 - as it is typed
    "--num_parallel_envs 8 --n_steps 32 --batch_size 128 --save_frequency 100 "
    "--checkpoint_frequency 512 --eval_frequency 512 --video_interval 100_000 --video_duration 1"
).split()

# Robots one by one: such a training ends without an evaluation and a video.
BRIEF = [*SMALL, "--physics", "upstream", "--vec_env", "dummy", "--eval_frequency", "100_000"]
# A machine that cannot draw trains all the same.
BLIND = {**os.environ, "MUJOCO_GL": "off"}

ROLLOUT = 8 * 32


def command(*flags: object) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *map(str, flags)]


def start(cwd: Path, *flags: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*flags),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
    )


def finish(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return said


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def only_run(cwd: Path) -> RunFolder:
    (run,) = list_runs(cwd / "models")
    return run


def json_files(run: RunFolder) -> dict[str, list]:
    """Every record in the user's folders, parsed; a file that does not parse fails here.

    Not what lies below streams/: rings come and go as long as their drain lives.
    """
    found: dict[str, list] = {}
    paths = [*run.realtime_data.glob("*.json"), *run.realtime_data.glob("*/*.json")]
    for path in sorted(paths):
        found.setdefault(path.parent.name, []).append(json.loads(path.read_text("utf-8")))
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[RunFolder, str]:
    cwd = tmp_path_factory.mktemp("한글 폴더")
    said = finish(
        start(cwd, "--run", "train", "--run_name", "small", "--total_timesteps", 2048, *SMALL)
    )
    return only_run(cwd), said


def test_a_training_ends_with_a_summary_of_where_everything_is(trained):
    run, said = trained

    assert run.name.endswith("-small")
    for words in ("final_model.zip", "final.mp4", "--run test", "--model_path", "trackway serve"):
        assert words in said, words
    assert status(read_manifest(run)) == "finished"
    assert read_manifest(run)["timesteps"] == 2048


def test_its_models_open_with_plain_ppo_load(trained):
    run, _ = trained

    paths = [run.final_model, run.best_model, *run.checkpoints.glob("*.zip")]

    assert len(paths) >= 4
    for path in paths:
        model = PPO.load(path, device="cpu")
        action, _ = model.predict(model.observation_space.sample(), deterministic=True)
        assert action.shape == (12,)


def test_every_kind_of_record_is_there_and_parses(trained):
    run, _ = trained

    records = json_files(run)

    for kind in (
        "episodes",
        "environment_states",
        "learning_metrics",
        "checkpoints",
        "hyperparameters",
    ):
        assert records.get(kind), kind
    snapshots = [r for file in records["episodes"] for r in file if r["record"] == "snapshot"]
    assert {r["env_id"] for r in snapshots} == set(range(8))
    assert all(r["detailed_info"]["robot_state"]["joint_positions"] for r in snapshots)


def test_every_step_of_every_robot_is_there_and_verifies(trained):
    run, _ = trained

    steps = read(run.path, "steps")

    assert steps["action"].shape == (2048 // 8, 8, 12)
    assert steps["qpos"].shape == (2048 // 8, 8, 19)
    assert cli(["verify", str(run.path)]) == 0


def test_its_video_is_there_and_has_frames(trained):
    import av

    run, _ = trained

    with av.open(run.videos / "final.mp4") as video:
        frames = sum(1 for _ in video.decode(video=0))

    assert frames >= 20


def test_the_printed_test_command_makes_a_table_and_a_video(trained):
    run, said = trained
    line = next(line for line in said.splitlines() if "--run test" in line)

    tested = subprocess.run(
        [*shlex.split(line), "--num_test_episodes", "2", "--video_duration", "1"],
        cwd=run.path.parents[1],
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert tested.returncode == 0, tested.stderr
    assert "rms error" in tested.stdout
    assert re.search(r"^ +1\.00 +-?[\d.]+ ", tested.stdout, re.MULTILINE)
    video = re.search(r"\S+\.mp4", tested.stdout)
    assert video
    assert (run.path.parents[1] / video[0]).is_file()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM] if SOAK else [signal.SIGTERM])
def test_a_signal_saves_everything_and_prints_the_command_that_goes_on(tmp_path, number):
    process = start(tmp_path, "--run", "train", "--total_timesteps", 10_000_000, *SMALL)
    wait_for(lambda: list((tmp_path / "models").glob("*/realtime_data/learning_metrics/*.json")))

    process.send_signal(number)
    said = finish(process)

    run = only_run(tmp_path)
    manifest = read_manifest(run)
    assert status(manifest) == "interrupted"
    # A policy is updated between rollouts: what comes back exactly is the start of one, of which the
    # last is kept when time allows, and one every 512 timesteps. Its steps are made again.
    newest = max(record["timestep"] for record in json_files(run)["checkpoints"])
    assert manifest["timesteps"] - 512 - ROLLOUT <= newest <= manifest["timesteps"]
    line = next(line for line in said.splitlines() if "--model_path" in line and "train" in line)
    assert manifest["resume"] == line.strip()

    resumed = shlex.split(line.replace("10000000", str(newest + 512)))
    finish(subprocess.Popen(resumed, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=BLIND))

    last = list_runs(tmp_path / "models")[-1]
    # A rollout is finished once it is begun, as Stable-Baselines3 does.
    assert newest + 512 <= read_manifest(last)["timesteps"] < newest + 512 + ROLLOUT
    assert read_manifest(last)["resumed_from"]["timestep"] == newest
    assert read_manifest(last)["config"]["train"]["num_parallel_envs"] == 8


def test_after_kill_9_the_newest_checkpoint_goes_on(tmp_path):
    process = start(tmp_path, "--run", "train", "--total_timesteps", 10_000_000, *BRIEF)
    wait_for(lambda: list((tmp_path / "models").glob("*/realtime_data/checkpoints/*.json")))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    run = only_run(tmp_path)
    # The writer process outlives the training; it is done when no temporary file is left.
    wait_for(lambda: not list(run.realtime_data.glob("*/.*.tmp")))
    wait_for(lambda: not list(run.checkpoints.glob(".*.tmp")))

    assert status(read_manifest(run)) == "crashed"
    newest = max(json_files(run)["checkpoints"], key=lambda record: record["timestep"])
    assert newest["recovery_info"]["can_resume"] is True
    resume = newest["recovery_info"]["resume_instructions"].replace(
        "10000000", str(newest["timestep"] + 256)
    )
    finish(subprocess.Popen(shlex.split(resume), cwd=tmp_path, stdout=subprocess.PIPE, text=True))

    last = list_runs(tmp_path / "models")[-1]
    assert newest["timestep"] + 256 <= read_manifest(last)["timesteps"]
    assert read_manifest(last)["resumed_from"]["timestep"] == newest["timestep"]


@pytest.mark.parametrize("vec_env", ["subproc", "dummy"] if SOAK else ["subproc"])
def test_robots_in_processes_of_their_own_are_recorded_as_well(tmp_path, vec_env):
    finish(
        start(
            tmp_path,
            *("--run", "train", "--vec_env", vec_env, "--total_timesteps", 256),
            *(*SMALL, "--num_parallel_envs", 2, "--rand_power", 0.4),
            env=BLIND,
        )
    )

    records = json_files(only_run(tmp_path))
    states = [row for file in records["environment_states"] for row in file]
    assert states[-1]["environment_summary"]["environment_class"] == "Go1MujocoEnv"
    # Workers write their robots' steps themselves.
    assert read(only_run(tmp_path).path, "steps")["qpos"].shape == (128, 2, 19)
    # Read back from the robots: the curriculum has reached them.
    assert states[0]["rand_power"][0] <= 0.4
    assert states[-1]["rand_power"] == [0.0, 0.0]


def test_without_recording_there_are_models_and_no_records(tmp_path):
    finish(start(tmp_path, "--run", "train", "--no_record", "--total_timesteps", 512, *BRIEF))

    run = only_run(tmp_path)
    assert run.final_model.is_file()
    assert not run.realtime_data.exists()


def test_another_models_weights_are_fine_tuned_from_timestep_0(trained, tmp_path):
    plain = tmp_path / "plain.zip"
    PPO.load(trained[0].final_model, device="cpu").save(plain)
    with zipfile.ZipFile(plain) as archive:
        assert not [name for name in archive.namelist() if name.startswith("trackway")]

    said = finish(
        start(
            tmp_path,
            *("--run", "train", "--model_path", plain, "--total_timesteps", 512, *SMALL),
            *("--eval_frequency", 100_000),
            env=BLIND,
        )
    )

    assert "fine-tunes" in said
    manifest = read_manifest(only_run(tmp_path))
    assert manifest["timesteps"] == 512
    assert manifest["resumed_from"]["kind"] == "fine_tune"


class TestBadInputIsOneSentenceAndMakesNoFolder:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def refused(self, capsys, *flags: object) -> str:
        assert main(["--run", "train", *map(str, flags)]) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith("train.py: ")
        assert "\n" not in said
        assert "Traceback" not in said
        assert not Path("models").exists()
        return said

    def test_a_model_that_does_not_exist(self, capsys):
        assert "no such file" in self.refused(capsys, "--model_path", "nowhere.zip")

    def test_a_file_that_is_no_zip(self, capsys):
        Path("notes.zip").write_text("not a zip")

        assert "not a zip file" in self.refused(capsys, "--model_path", "notes.zip")

    def test_a_zip_that_is_no_model(self, capsys):
        with zipfile.ZipFile("other.zip", "w") as archive:
            archive.writestr("readme.txt", "hello")

        assert "not a Stable-Baselines3 model" in self.refused(capsys, "--model_path", "other.zip")

    @pytest.mark.parametrize("where", [0.3, 0.9])
    def test_a_corrupt_checkpoint(self, trained, capsys, where):
        content = bytearray(trained[0].final_model.read_bytes())
        content[int(len(content) * where)] ^= 0xFF
        Path("corrupt.zip").write_bytes(content)

        assert "damaged" in self.refused(capsys, "--model_path", "corrupt.zip")

    def test_a_truncated_checkpoint(self, trained, capsys):
        content = trained[0].final_model.read_bytes()
        Path("cut.zip").write_bytes(content[: len(content) // 2])

        assert "damaged" in self.refused(capsys, "--model_path", "cut.zip")

    def test_a_model_of_another_robot(self, capsys):
        PPO("MlpPolicy", "Pendulum-v1", device="cpu").save("pendulum.zip")

        said = self.refused(capsys, "--model_path", "pendulum.zip")
        assert "observation space has shape (3,)" in said

    def test_a_model_of_another_algorithm(self, capsys):
        from stable_baselines3 import SAC

        SAC("MlpPolicy", "Pendulum-v1", device="cpu", buffer_size=10).save("sac.zip")

        assert "no PPO model" in self.refused(capsys, "--model_path", "sac.zip")

    def test_a_checkpoint_that_is_already_there(self, trained, capsys):
        said = self.refused(
            capsys, "--model_path", trained[0].final_model, "--total_timesteps", 100
        )
        assert "already trained 2,048" in said

    def test_a_name_with_a_slash(self, capsys):
        assert "cannot name a run" in self.refused(capsys, "--run_name", "a/b")

    def test_upstream_physics_in_a_batch(self, capsys):
        assert "--vec_env subproc" in self.refused(capsys, "--physics", "upstream")

    def test_rand_power_beyond_its_range(self, capsys):
        assert "rand_power" in self.refused(capsys, "--rand_power", 7)

    def test_a_biped_in_upstream_physics(self, capsys):
        flags = "--biped", "--physics", "upstream", "--vec_env", "subproc"

        assert "upstream' walks on four legs" in self.refused(capsys, *flags)

    @pytest.mark.parametrize("device", ["toaster", "cuda:7"])
    def test_a_device_that_is_not_there(self, capsys, monkeypatch, device):
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)

        assert device in self.refused(capsys, "--device", device)
