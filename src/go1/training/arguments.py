"""The command line of `train.py`.

Only what a person typed is taken from here: a flag that was not given leaves the value to the
configuration file, to the checkpoint that training resumes from, or to the default, in that order.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

_EXAMPLES = """
examples:
  python train.py --run train --config configs/walk.toml --total_timesteps 1_200_000
  python train.py --run train --run_name my_experiment --rand_power 0.1
  python train.py --run train --model_path models/my_run/checkpoints/checkpoint_20250101_120000.zip \\
      --total_timesteps 5_000_000 --run_name resumed_experiment
  python train.py --run train --run_name nightly --auto_resume    # start it again, and it goes on
  python train.py --run test --model_path models/my_run/final_model.zip

exit status: 0 done, or ended tidily by a signal; 1 something cannot be done, one sentence says what;
  75 with --auto_resume, SIGTERM or SIGUSR1: saved, start the same command again; 130 second Ctrl-C
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence; the usage of forty flags before it would hide it."""
        self.exit(2, f"{self.prog}: {message}; --help lists every flag\n")


def positive(text: str) -> int:
    """A count on the command line: 5000000, 5_000_000 or 5e6."""
    try:
        value = int(text) if "e" not in text.lower() else int(float(text))
    except (ValueError, OverflowError):
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def parser() -> argparse.ArgumentParser:
    """The parser; every optional flag is absent from the result unless it was given."""
    top = _Parser(
        prog="train.py",
        usage="train.py --run {train,test} [flags]",
        description="Train a Unitree Go1 with everything recorded, resume, or test a model.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    top.add_argument("--run", choices=["train", "test"], required=True, help="what to do")
    top.add_argument("--run_name", metavar="NAME", help="added to the run's folder name")
    top.add_argument(
        "--model_path",
        metavar="ZIP",
        help="a checkpoint to resume from, another Stable-Baselines3 model to fine-tune, or the "
        "model to test (default for test: the newest run's final model)",
    )
    top.add_argument(
        "--resume",
        metavar="RUN",
        help="go on with a run in its own folder, from its newest whole checkpoint and with its own "
        "settings; --config and --model_path are not read again. `trackway resume RUN` types this",
    )
    top.add_argument(
        "--auto_resume",
        action="store_true",
        help="go on with the newest run of this --run_name, or begin it; SIGTERM and SIGUSR1 save, "
        "and end with status 75: start the same command again",
    )
    top.add_argument(
        "--force",
        action="store_true",
        help="go on although a changed setting makes it another training",
    )
    top.add_argument("--config", metavar="FILE", help="settings in TOML, such as configs/walk.toml")
    top.add_argument("--models", metavar="FOLDER", help="where runs are kept (models)")

    robot = top.add_argument_group("robot")
    robot.add_argument(
        "--ctrl_type", choices=["torque", "position"], help="what actions are (position)"
    )
    robot.add_argument("--biped", action="store_true", help="stand and walk on the hind legs")
    robot.add_argument(
        "--physics",
        choices=["full", "fast", "upstream"],
        help="full: every link meets the floor (default); fast: feet only; "
        "upstream: as the public environment, with --vec_env subproc or dummy",
    )
    robot.add_argument(
        "--rand_power", type=float, metavar="X", help="randomisation to begin with, 0..1 (0.0)"
    )
    robot.add_argument("--action_noise", type=float, metavar="X", help="noise on actions (0.0)")
    robot.add_argument(
        "--frame_skip", type=positive, metavar="N", help="physics steps per action (50 Hz)"
    )

    learning = top.add_argument_group("learning")
    learning.add_argument(
        "--total_timesteps",
        type=positive,
        metavar="N",
        help="where training ends, counted from its very beginning (5_000_000)",
    )
    learning.add_argument(
        "--num_parallel_envs", type=positive, metavar="N", help="robots that learn at once (12)"
    )
    learning.add_argument(
        "--vec_env",
        choices=["batch", "subproc", "dummy"],
        help="batch: all robots in one MuJoCo batch (default, fastest); subproc: a process each",
    )
    learning.add_argument(
        "--learning_rate", type=float, metavar="X", help="(falls from 1e-3 to 5e-4)"
    )
    learning.add_argument(
        "--n_steps",
        type=positive,
        metavar="N",
        help="steps per robot in each rollout (so many that all robots make 6,144)",
    )
    learning.add_argument(
        "--batch_size", type=positive, metavar="N", help="samples in each minibatch (1,536)"
    )
    learning.add_argument("--device", help="cpu (default), cuda, cuda:0 … or auto")
    learning.add_argument("--seed", type=int, metavar="N", help="of everything random (0)")

    recording = top.add_argument_group("recording")
    for flag, between in (
        ("--eval_frequency", "evaluations (10_000)"),
        ("--video_interval", "videos (300_000)"),
        ("--save_frequency", "saves of the JSON records (1_000)"),
        ("--checkpoint_frequency", "checkpoints (10_000)"),
    ):
        recording.add_argument(
            flag, type=positive, metavar="N", help=f"timesteps between {between}"
        )
    recording.add_argument(
        "--video_duration", type=positive, metavar="S", help="seconds that a video shows (30)"
    )
    recording.add_argument(
        "--keep_last", type=positive, metavar="N", help="newest checkpoints that stay (all)"
    )
    recording.add_argument(
        "--keep_every", type=positive, metavar="N", help="with --keep_last: every N-th stays, too"
    )
    recording.add_argument(
        "--keep_best", type=positive, metavar="N", help="with --keep_last: the N best stay, too"
    )
    recording.add_argument(
        "--precision",
        choices=["exact", "analysis", "resim"],
        help="of every step: exact (default), analysis (rounded, a third of the size) or resim "
        "(every bit, a quarter of the size, simulated again when it is read)",
    )
    recording.add_argument("--no_record", action="store_true", help="train without recording")
    recording.add_argument(
        "--store",
        metavar="STORE",
        help="ship the run there while it lasts: s3://bucket/prefix, gs://, az:// or a folder "
        "(TRACKWAY_STORE)",
    )
    recording.add_argument(
        "--backup",
        metavar="FOLDER",
        help="copy finished files there while the run lasts, proven; `trackway restore` brings "
        "them back",
    )
    recording.add_argument(
        "--dashboard", action="store_true", help="show the training in a web page while it lasts"
    )

    testing = top.add_argument_group("testing")
    testing.add_argument(
        "--num_test_episodes", type=positive, metavar="N", help="listed one by one (5)"
    )
    testing.add_argument(
        "--record_test_episodes", action="store_true", help="a video of each test episode"
    )
    return top


def parse(argv: list[str]) -> dict[str, Any]:
    """What was typed, flag name → value, and nothing else."""
    return vars(parser().parse_args(argv))
