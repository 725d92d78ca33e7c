import os
import signal

import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from trackway.frameworks.sb3.stop import StopOnSignal


class SendAt(BaseCallback):
    """Sends this process a signal at a timestep, as a person or a job scheduler would."""

    def __init__(self, number: signal.Signals, timestep: int) -> None:
        super().__init__()
        self.number, self.timestep = number, timestep

    def _on_step(self) -> bool:
        if self.num_timesteps == self.timestep:
            os.kill(os.getpid(), self.number)
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_ends_at_the_next_step_and_learn_returns(number):
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")

    with StopOnSignal() as stop:
        model.learn(10_000, callback=CallbackList([stop, SendAt(number, 40)]))

    assert stop.received is number
    assert model.num_timesteps in (40, 41)


def test_a_second_ctrl_c_acts_at_once():
    with StopOnSignal() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.received is signal.SIGINT

        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_of_before_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    with StopOnSignal():
        assert signal.getsignal(signal.SIGTERM) != before[1]

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_without_a_signal_nothing_is_received():
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, device="cpu")

    with StopOnSignal() as stop:
        model.learn(64, callback=stop)

    assert stop.received is None
    assert model.num_timesteps == 64
