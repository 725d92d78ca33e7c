import json

import pytest

from trackway.errors import RunError
from trackway.frameworks.sb3.background_evaluation import EvaluationResult
from trackway.frameworks.sb3.evaluation import EvaluatedEpisode
from trackway.legacy.history import TrainingHistory, load_history


def episode(total, *, success=None, reason="terminated", **components):
    return EvaluatedEpisode(total, 10, success, reason, components, {"lean": total / 10})


def result(timestep, *episodes):
    return EvaluationResult(timestep, episodes, None)


def test_each_evaluation_is_one_entry_in_every_list():
    history = TrainingHistory()

    history.add(
        result(
            100,
            episode(1.0, success=True, reason="time_limit", speed=2.0),
            episode(3.0, success=False, reason="fell", speed=4.0),
        )
    )
    history.add(result(200, episode(1.0, success=False, reason="time_limit")))

    assert history.as_dict() == {
        "best_mean_reward": 2.0,
        "timesteps_history": [100, 200],
        "rewards_history": [2.0, 1.0],
        "lengths_history": [10.0, 10.0],
        "success_rates": [0.5, 0.0],
        "reward_components_history": [{"speed": 3.0}, {}],
        "stability_metrics": [{"lean": pytest.approx(0.2)}, {"lean": pytest.approx(0.1)}],
        "failure_reasons": [{"fell": 1}, {"time_limit": 1}],
    }


def test_where_success_is_not_told_only_early_ends_are_failures():
    history = TrainingHistory()

    history.add(result(1, episode(1.0, reason="truncated"), episode(1.0, reason="terminated")))

    assert history.success_rates == [None]
    assert history.failure_reasons == [{"terminated": 1}]


def test_the_best_is_the_highest_mean_and_the_first_counts():
    history = TrainingHistory()

    best = [history.add(result(t, episode(r))) for t, r in enumerate([-5.0, -6.0, -5.0, 1.0])]

    assert best == [True, False, False, True]
    assert history.best_mean_reward == 1.0


def test_a_return_that_is_no_number_is_null_and_never_the_best():
    history = TrainingHistory()

    assert not history.add(result(1, episode(float("nan"))))

    def refuse(word):
        raise AssertionError(word)

    content = json.loads(history.to_json(), parse_constant=refuse)
    assert content["rewards_history"] == [None]
    assert "rewards_history" in content["nonfinite"]
    assert content["best_mean_reward"] is None


def test_a_history_is_continued_from_its_file(tmp_path):
    first = TrainingHistory()
    first.add(result(100, episode(7.0)))
    (tmp_path / "training_history.json").write_bytes(first.to_json())

    history = load_history(tmp_path / "training_history.json")

    assert history == first
    assert not history.add(result(200, episode(6.0)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b'{"rewards_history": [1.0', "unexpected end"),
        (b'{"rewards_history": [1.0]}', "'best_mean_reward' is missing"),
        (TrainingHistory(rewards_history=[1.0]).to_json(), "differ in length"),
        (b"[]", "list"),
    ],
)
def test_a_file_that_cannot_be_continued_is_one_sentence(tmp_path, content, reason):
    path = tmp_path / "training_history.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(RunError, match=f"{reason}.*leave load_history_from out") as failure:
        load_history(path)
    assert "\n" not in str(failure.value)
