import json
import shlex

import pytest

from go1.config import Go1Config
from go1.training.arguments import parse
from go1.training.settings import Settings, SettingsError, TrainSettings, resolve


def typed(line: str = "") -> dict[str, object]:
    return parse(shlex.split(f"--run train {line}"))


def test_without_flags_the_documented_defaults_hold():
    settings = resolve(typed())

    assert settings.train.total_timesteps == 5_000_000
    assert settings.train.num_parallel_envs == 12
    assert settings.train.eval_frequency == 10_000
    assert settings.train.video_interval == 300_000
    assert settings.train.video_duration == 30
    assert settings.train.seed == 0
    assert settings.env.ctrl_type == "position"
    assert settings.env.biped is False
    assert settings.env.rand_power == 0.0
    assert settings.env.action_noise == 0.0


def test_every_flag_reaches_its_setting():
    settings = resolve(
        typed(
            "--num_parallel_envs 4 --total_timesteps 1_000 --eval_frequency 2000 "
            "--ctrl_type torque --biped --video_duration 5 --video_interval 77 "
            "--rand_power 0.5 --learning_rate 3e-4 --action_noise 0.1 --seed 7 "
            "--n_steps 32 --batch_size 64 --device cpu --vec_env dummy --frame_skip 2 "
            "--save_frequency 10 --checkpoint_frequency 20 --keep_last 3 --keep_every 5 "
            "--keep_best 1 --physics fast --precision resim --no_record"
        )
    )

    assert settings.env == Go1Config(
        ctrl_type="torque",
        biped=True,
        rand_power=0.5,
        action_noise=0.1,
        frame_skip=2,
        physics="fast",
    )
    assert settings.train == TrainSettings(
        total_timesteps=1000,
        num_parallel_envs=4,
        vec_env="dummy",
        seed=7,
        record=False,
        save_frequency=10,
        checkpoint_frequency=20,
        keep_last=3,
        keep_every=5,
        keep_best=1,
        precision="resim",
        eval_frequency=2000,
        video_interval=77,
        video_duration=5,
    )
    assert settings.ppo["learning_rate"] == 3e-4
    assert settings.ppo["n_steps"] == 32
    assert settings.ppo["batch_size"] == 64


def test_what_was_typed_wins_over_the_file_and_the_file_over_the_checkpoint(tmp_path):
    file = tmp_path / "설정.toml"
    file.write_text("[env]\nrand_power = 0.2\n[train]\nseed = 5\n")
    saved = {"env": {"rand_power": 0.1, "action_noise": 0.3}, "train": {"seed": 4}}

    settings = resolve(typed("--seed 6"), file, saved)

    assert settings.env.rand_power == 0.2
    assert settings.env.action_noise == 0.3
    assert settings.train.seed == 6


def test_a_rollout_has_the_same_size_for_any_number_of_robots():
    for num_envs in (1, 12, 256):
        settings = resolve(typed(f"--num_parallel_envs {num_envs}"))

        assert settings.ppo["n_steps"] * num_envs == 6144


def test_settings_survive_json():
    settings = resolve(typed("--rand_power 0.25 --biped"))

    assert Settings.from_tables(json.loads(json.dumps(settings.tables()))) == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[env]\nctrl_typo = 1\n", "ctrl_type"),
        ("[robot]\n", r"\[robot\] is not a table"),
        ("[train]\nsave_frequency = 0\n", "save_frequency must be a whole number"),
        ("[train]\nkeep_last = 0\n", "the newest checkpoint always stays"),
        ("[train]\nkeep_every = 3\n", "need keep_last"),
        ("[train]\nvec_env = 'quantum'\n", "'batch', 'subproc', 'dummy'"),
        ("[ppo]\nn_epochs = 'five'\n", "n_epochs must be a whole number"),
        ("[ppo]\nbatch_size = 1\n", "batch_size must be a whole number of at least 2"),
        ("[ppo]\ngamma = -3\n", "gamma must be a number from 0 to 1"),
        ("[ppo]\nclip_range = 0.0\n", "clip_range must be a number above 0"),
        ("[ppo]\nlearning_rate = [1e-3]\n", r"or two, \[start, end\]; got \[0.001\]"),
        ("[ppo]\nlearning_rate = nan\n", "learning_rate must be a number"),
        ("[policy]\nnet_arch = 'big'\n", "net_arch must be a list"),
        ("[policy]\nnet_arch = [128, 0]\n", "each size of net_arch must be a whole number"),
        ("[policy]\nactivation = 'sinus'\n", "'elu', 'relu', 'tanh'"),
        ("[env]\nrand_power = 3.0\n", "rand_power must be a number from 0 to 1"),
        ("not toml", "cannot be read as TOML"),
    ],
)
def test_a_bad_file_is_one_sentence_that_names_it(tmp_path, text, sentence):
    file = tmp_path / "bad.toml"
    file.write_text(text)

    with pytest.raises(SettingsError, match=sentence) as caught:
        resolve(typed(), file)

    assert str(file) in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match="there is no configuration file"):
        resolve(typed(), tmp_path / "none.toml")


@pytest.mark.parametrize("count", ["0", "-3", "many", "1.5", "1e4.5", "1e999"])
def test_a_count_that_is_none_is_refused_by_the_parser(count, capsys):
    with pytest.raises(SystemExit):
        typed(f"--num_parallel_envs={count}")

    assert "is not a whole number above 0" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["--ctrl_type foo", "--colour red", "--seed one"])
def test_what_the_parser_refuses_is_one_sentence(line, capsys):
    with pytest.raises(SystemExit) as refused:
        typed(line)

    said = capsys.readouterr().err
    assert refused.value.code == 2
    assert said.startswith("train.py: ")
    assert said.count("\n") == 1
