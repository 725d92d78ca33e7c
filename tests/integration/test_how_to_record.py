"""The examples of docs/how-to/record-my-own-environment.md, run as a reader would."""

import re
from pathlib import Path

from tests.support.trainings import documents, episodes_of, records

PAGE = Path(__file__).parents[2] / "docs/how-to/record-my-own-environment.md"


def test_the_examples_run_and_record_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))

    exec(compile(program, str(PAGE), "exec"), {"__name__": "example"})

    pendulum, cart = (tmp_path / "models" / name / "realtime_data" for name in ("pendulum", "cart"))
    assert "robot_state" in records(pendulum, "episodes")[-1]["missing"]
    episode = episodes_of(cart)[-1]
    assert episode["termination_reason"] in ("rests", "time_limit")
    assert episode["reward_components"].keys() == {"nearness"}
    assert episode["detailed_info"]["env_config"]["rand_power"] <= 1.0
    [first, second] = documents(cart, "training_summary_*.json")
    assert (first["final_timestep"], second["final_timestep"]) == (1024, 2048)
    assert second["total_episodes"] > first["total_episodes"]
