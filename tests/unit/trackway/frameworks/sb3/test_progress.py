import io

import pytest
from rich.console import Console
from stable_baselines3 import PPO
from tests.support.clock import FakeClock

from trackway.frameworks.sb3.progress import ProgressDisplay, duration


def watched(console: Console, clock: FakeClock, figures=None, total: int = 96) -> ProgressDisplay:
    """A display that a real training of `total` steps has gone through, a second a step."""
    display = ProgressDisplay(total, figures, console, clock)
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, n_epochs=1, device="cpu")
    on_step = display._on_step

    def tick() -> bool:
        clock.advance(1.0)
        return on_step()

    display._on_step = tick
    model.learn(total, callback=display)
    return display


def test_a_log_file_gets_a_plain_line_now_and_then():
    out = io.StringIO()

    watched(Console(file=out, width=300), FakeClock(), lambda: {"forward speed": "0.50 m/s"})

    lines = out.getvalue().splitlines()
    assert 5 <= len(lines) <= 12
    assert all("forward speed 0.50 m/s" in line for line in lines)
    assert "steps 96 of 96" in lines[-1]
    assert "speed 1 steps/s" in lines[-1]
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_a_table_and_is_given_back():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)

    watched(console, FakeClock())

    assert "episode length" in out.getvalue()
    assert out.getvalue().rstrip().endswith("\x1b[?25h")  # the cursor is shown again


def test_time_left_follows_the_speed():
    display = watched(Console(file=io.StringIO()), FakeClock(), total=64)
    display.total_timesteps = 64 + 120

    assert display.steps_per_second() == pytest.approx(1.0)
    assert display.rows()["time left"] == "2 min 00 s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (41.2, "42 s"), (185, "3 min 05 s"), (7620, "2 h 07 min")],
)
def test_a_duration_is_written_for_people(seconds, text):
    assert duration(seconds) == text
