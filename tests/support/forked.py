"""Programs that find torch imported: forks of a process that has imported it and done nothing else.

    python -m tests.support.forked MODULE...

imports the modules, reads what to run from its standard input, and tells each exit status.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


class Forks:
    """Runs programs one after another, each in a process of its own as `python -m` does.

    What has been imported lies at the same addresses in all of them: compare them with a process
    that was started anew.
    """

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._begin()

    def _begin(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked", *self._modules],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, said: Path, module: str, *arguments: str) -> int:
        """Run a module; its exit status, negative where a signal ended it.

        Args:
            said: Gets what it prints.
            module: Its name.
            arguments: Its command line.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps([str(said), module, *arguments]) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())
        except BaseException:  # a test that took too long: the next must not get its answer
            self.close()
            self._begin()
            raise

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def serve() -> list[str]:
    """Fork for each line of the standard input; what the fork is to run."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            return json.loads(line)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit()


def main(modules: list[str]) -> None:
    for module in modules:
        importlib.import_module(module)
    said, module, *arguments = serve()
    with open(said, "wb") as output, open(os.devnull, "rb") as nothing:  # noqa: PTH123
        for taken, given in enumerate((nothing, output, output)):
            os.dup2(given.fileno(), taken)
    np.random.seed()  # noqa: NPY002 - as it is in a process that was started anew
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
