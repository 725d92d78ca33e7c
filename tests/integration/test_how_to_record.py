"""What the pages for newcomers show is run as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.trainings import documents, episodes_of, ppo

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway.run import RunFolder, new_manifest, write_manifest

ROOT = Path(__file__).parents[2]


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def run(page: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """Every example of a page, one after the other; the names they leave."""
    names = dict(known or {})
    for example in examples(page):
        # What takes hours there takes a moment here.
        exec(compile(example.replace("5000000", "64"), page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_step_is_recorded_as_the_page_says(capsys):
    run("docs/how-to/record-every-step.md")

    assert capsys.readouterr().out.splitlines() == [
        "(1000, 12)",
        "[{'event': 'start', 'seed': 0}]",
    ]


def test_an_environment_of_ones_own_is_recorded_as_the_page_says(elsewhere):
    names = run("docs/how-to/record-my-own-environment.md")

    assert names["model"].num_timesteps >= 2_000
    assert len(list((elsewhere / "models/pendulum/checkpoints").glob("*.zip"))) == 1
    cart = elsewhere / "models/cart/realtime_data"
    assert {episode["termination_reason"] for episode in episodes_of(cart)} >= {"time_limit"}
    assert all("nearness" in episode["reward_components"] for episode in episodes_of(cart))
    # The resumed training counts on.
    [*_, last] = documents(cart, "training_summary_*.json")
    assert last["final_timestep"] == names["model"].num_timesteps


def test_the_readme_and_the_quickstart_record_and_read_as_they_say(elsewhere, capsys):
    run_folder = RunFolder(elsewhere / "models" / "my_experiment")
    run_folder.path.mkdir(parents=True)
    write_manifest(run_folder, new_manifest(command=["train.py"], config={}))
    envs = Go1VecEnv(4, Go1Config(max_episode_time_sec=0.3))

    names = run("README.md", {"model": ppo(envs, n_steps=16)})

    assert names["steps"]["action"].shape == (16, 4, 12)
    episodes = episodes_of(run_folder.realtime_data)
    assert len(episodes) >= 4
    run("docs/quickstart.md")

    *printed, shape = capsys.readouterr().out.splitlines()
    assert shape == "(16, 4, 19)"
    assert [line.split()[-1] for line in printed[-len(episodes) :]] == [
        episode["termination_reason"] for episode in episodes
    ]


def test_both_readmes_show_the_same_programs():
    def without_comments(page: str) -> list[str]:
        return [re.sub(r" *#.*", "", example) for example in examples(page)]

    assert without_comments("README.md") == without_comments("README.ko.md")
