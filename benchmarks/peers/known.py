"""Every peer by the name that tables give it, and what it needs."""

from __future__ import annotations

from peers.by_batch import ArrowStream, Hdf5, Parquet, Rerun, Zarr
from peers.by_step import JsonLines, Mcap, Sqlite
from peers.ours import MemoryCopy, Trackway, TrackwayInPlace, TrackwayPacked, TrackwayRegistered
from peers.peer import Null
from peers.trackers import Mlflow, TensorBoard, WandbOffline

OURS = {
    "trackway": Trackway,
    "trackway registered": TrackwayRegistered,
    "trackway packed": TrackwayPacked,
    "trackway in place": TrackwayInPlace,
}
PEERS: dict[str, type[Null]] = {
    "null": Null,
    "memory copy": MemoryCopy,
    **OURS,
    "Arrow stream": ArrowStream,
    "HDF5": Hdf5,
    "Parquet": Parquet,
    "MCAP": Mcap,
    "Zarr": Zarr,
    "JSON lines": JsonLines,
    "SQLite": Sqlite,
    "TensorBoard": TensorBoard,
    "Rerun": Rerun,
    "W&B offline": WandbOffline,
    "MLflow": Mlflow,
}
# What it takes a while to write or to close: one short round, of the fewest environments.
SLOW = {"TensorBoard", "W&B offline", "MLflow"}
NEEDS = {
    "Arrow stream": "pyarrow",
    "Parquet": "pyarrow",
    "HDF5": "h5py",
    "Zarr": "zarr",
    "MCAP": "mcap",
    "TensorBoard": "tensorboardX",
    "Rerun": "rerun",
    "W&B offline": "wandb",
    "MLflow": "mlflow",
}
PACKAGES = {"rerun": "rerun-sdk"}
