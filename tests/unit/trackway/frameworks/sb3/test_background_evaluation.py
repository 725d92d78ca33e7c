import logging

import pytest
from stable_baselines3 import PPO
from tests.support.clock import FakeClock
from tests.support.sliding_ball import SlidingBall

from trackway.frameworks.sb3.background_evaluation import BackgroundEvaluation
from trackway.frameworks.sb3.time_budget import TimeBudget

STEP_S = 0.01


class SlowBall(SlidingBall):
    """Each step takes a hundredth of a second of the given clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def step(self, action):
        self._clock.advance(STEP_S)
        return super().step(action)


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.begun = self.observed = 0
        self.results = []

    def evaluation_begins(self, env):
        self.begun += 1

    def evaluation_observed(self, episode_ended):
        self.observed += 1

    def evaluation_ends(self, result):
        self.results.append(result)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="module")
def model():
    return PPO("MlpPolicy", SlidingBall(), n_steps=32, batch_size=16, seed=0)


def background(clock, model, env=None, every=1000, episodes=2, share=0.01) -> tuple:
    notes = Notes()
    budget = TimeBudget(share, clock=clock)
    evaluation = BackgroundEvaluation(env or SlowBall(clock), every, episodes, notes, budget)
    evaluation.start(model)
    clock.advance(50)  # a training that has something to give already
    return evaluation, notes


def train(evaluation, clock, first, last, by=12, step_s=0.05):
    for timestep in range(first, last, by):
        clock.advance(step_s)
        evaluation.on_step(timestep)


def test_it_begins_at_the_first_step_at_or_past_each_multiple(clock, model):
    evaluation, notes = background(clock, model, episodes=1, share=1.0)

    train(evaluation, clock, 12, 3500)

    assert [result.timestep for result in notes.results] == [1008, 2004, 3000]


def test_it_never_takes_more_than_its_share_and_one_step(clock, model):
    evaluation, notes = background(clock, model, every=200)
    budget = evaluation.budget
    worst_s = 0.0
    for timestep in range(12, 60_000, 12):
        clock.advance(0.05)
        evaluation.on_step(timestep)
        worst_s = max(worst_s, budget.spent_s - 0.01 * budget.elapsed_s())

    assert worst_s <= STEP_S + 1e-9
    assert len(notes.results) >= 2


def test_training_is_not_held_up_long_at_one_step_however_much_is_allowed(clock, model):
    evaluation, _ = background(clock, model)
    clock.advance(100_000)  # a thousand seconds may be spent by now

    before_s = clock.monotonic_s()
    evaluation.on_step(1000)

    assert clock.monotonic_s() - before_s <= 0.01 + STEP_S


def test_what_falls_due_meanwhile_becomes_one_with_the_next_is_counted_and_said(
    clock, model, caplog
):
    evaluation, notes = background(clock, model, every=100)

    with caplog.at_level(logging.INFO):
        train(evaluation, clock, 12, 2000)

    asked = 19
    assert evaluation.merged > 0
    assert notes.begun + evaluation.merged + evaluation._waiting == asked
    assert len([r for r in caplog.records if "Fewer evaluations than asked" in r.message]) == 1


def test_a_resumed_training_goes_on_to_the_next_multiple(clock, model):
    evaluation, notes = background(clock, model, episodes=1, share=1.0)
    model.num_timesteps = 4100
    try:
        evaluation.start(model)
        train(evaluation, clock, 4112, 5990)
    finally:
        model.num_timesteps = 0

    assert [result.timestep for result in notes.results] == [5000]


def test_an_evaluation_is_of_the_policy_at_its_begin(clock, model):
    evaluation, notes = background(clock, model, episodes=1, share=1.0)
    evaluation.on_step(1000)
    evaluated = next(evaluation._policy._copy.parameters())
    at_its_begin = evaluated.clone()
    learned = next(model.policy.parameters())

    learned.data += 1.0
    train(evaluation, clock, 1012, 1900)
    kept = evaluated.equal(at_its_begin)
    learned.data -= 1.0

    assert kept
    assert [result.timestep for result in notes.results] == [1000]


def test_at_the_end_what_runs_and_what_waits_is_played_out(clock, model):
    evaluation, notes = background(clock, model, every=100, episodes=1)
    train(evaluation, clock, 12, 700)
    waiting = evaluation._waiting

    assert waiting
    assert evaluation.finish(within_s=60)
    assert notes.results[-1].timestep == 696  # the last policy there was
    assert len(notes.results) == notes.begun


def test_at_the_end_nothing_takes_longer_than_its_bound(clock, model, caplog):
    evaluation, notes = background(clock, model, every=1000, episodes=50)
    evaluation.on_step(1000)

    before_s = clock.monotonic_s()
    with caplog.at_level(logging.WARNING):
        finished = evaluation.finish(within_s=1.0)

    assert not finished
    assert clock.monotonic_s() - before_s <= 1.0 + STEP_S
    assert notes.results == []
    assert "it is dropped" in caplog.text


def test_an_environment_that_cannot_be_stepped_is_said_once_and_counted(clock, model, caplog):
    class Broken(SlowBall):
        def step(self, action):
            raise RuntimeError("a gear came off")

    evaluation, notes = background(clock, model, env=Broken(clock), every=100)

    with caplog.at_level(logging.WARNING):
        train(evaluation, clock, 12, 500)

    assert evaluation.failed == 4
    assert notes.results == []
    assert [r.message for r in caplog.records] == [
        "The evaluation failed (a gear came off); training goes on."
    ]


@pytest.mark.parametrize(("every", "episodes"), [(0, 1), (100, 0)])
def test_senseless_numbers_are_refused(clock, every, episodes):
    with pytest.raises(ValueError, match="both must be at least 1"):
        BackgroundEvaluation(SlidingBall(), every, episodes, Notes(), TimeBudget(0.01, clock=clock))
