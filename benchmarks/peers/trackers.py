"""Trackers of metrics, which take every number by its name."""

from __future__ import annotations

import time
from pathlib import Path

from peers.peer import Columns, Null


class TensorBoard(Null):
    """TensorBoard, a scalar for every number of every environment."""

    def __init__(self, path: Path, num_envs: int) -> None:
        from tensorboardX import SummaryWriter

        super().__init__(path, num_envs)
        self.writer = SummaryWriter(str(path))
        self.at = 0

    def write(self, columns: Columns) -> None:
        for name, column in columns.items():
            for env, values in enumerate(column.reshape(self.num_envs, -1)):
                for i, value in enumerate(values):
                    self.writer.add_scalar(f"{name}/{env}/{i}", value, self.at)
        self.at += 1

    def close(self) -> None:
        self.writer.close()

    @staticmethod
    def recovered(path: Path) -> int:
        return -1  # its reader samples: there is no way to count


class Metrics(Null):
    """A tracker of metrics: a call for every environment step, with every number by name."""

    def write(self, columns: Columns) -> None:
        flat = [(name, c.reshape(self.num_envs, -1)) for name, c in columns.items()]
        for env in range(self.num_envs):
            self.log(
                {
                    f"{name}/{i}": float(value)
                    for name, values in flat
                    for i, value in enumerate(values[env])
                }
            )

    def log(self, numbers: dict[str, float]) -> None:
        raise NotImplementedError

    @staticmethod
    def recovered(path: Path) -> int:
        return -1


class WandbOffline(Metrics):
    """Weights & Biases without a server."""

    def __init__(self, path: Path, num_envs: int) -> None:
        import wandb

        super().__init__(path, num_envs)
        path.mkdir()
        settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
        self.run = wandb.init(mode="offline", dir=str(path), project="steps", settings=settings)

    def log(self, numbers: dict[str, float]) -> None:
        self.run.log(numbers)

    def close(self) -> None:
        self.run.finish()


class Mlflow(Metrics):
    """MLflow into a folder, through its database."""

    def __init__(self, path: Path, num_envs: int) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric

        super().__init__(path, num_envs)
        path.mkdir()
        self.client, self.metric = MlflowClient(f"sqlite:///{path}/mlflow.db"), Metric
        self.run = self.client.create_run(self.client.create_experiment("steps")).info.run_id
        self.at = 0

    def log(self, numbers: dict[str, float]) -> None:
        now_ms = time.monotonic_ns() // 1_000_000
        values = [self.metric(name, value, now_ms, self.at) for name, value in numbers.items()]
        self.client.log_batch(self.run, metrics=values)
        self.at += 1
