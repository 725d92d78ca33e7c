"""Trains a few robots for a moment and checks everything that the real-time saving recorded.

python test_realtime_saving.py
"""

import os
import sys

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before torch is imported: eight robots need one thread


def main() -> int:
    from go1.vec_env import Go1VecEnv
    from trackway.legacy.selfcheck import main

    return main(lambda: Go1VecEnv(8, seed=0))


if __name__ == "__main__":
    sys.exit(main())
