"""Whether the environments of a training come back exactly: tried once, while it runs."""

from __future__ import annotations

from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import SubprocVecEnv

from trackway.checkpoint.stateful import is_stateful
from trackway.frameworks.sb3 import workers
from trackway.frameworks.sb3.shadow import STEPS, Shadow
from trackway.frameworks.sb3.tape import Tape, second_of


class Verdict:
    """Watches one environment of each kind for its next steps, then judges.

    Args:
        venv: The innermost VecEnv, where a rollout starts.

    Attributes:
        found_wanting: An environment was tried and does not come back.
        tested: Whether environments were tried; a VecEnv that tells its state itself is taken at its word.
    """

    def __init__(self, venv: Any) -> None:
        self._venv, self._shadows, self._tapes = venv, list[Shadow](), list[Tape]()
        self._found: list[str] | None = None
        self.found_wanting = False
        envs = getattr(venv, "envs", None)
        self.tested = not is_stateful(venv)
        if not self.tested:
            self._found = []
        elif isinstance(venv, SubprocVecEnv):
            workers.watch(venv)
        elif isinstance(envs, list) and all(isinstance(env, gymnasium.Env) for env in envs):
            kinds: dict[tuple[type, ...], list[Any]] = {}
            for env in envs:
                kinds.setdefault(_layers(env), []).append(env)
            for alike in kinds.values():
                shadow = Shadow(alike[0], second_of(alike[0].unwrapped))
                self._shadows.append(shadow)
                if shadow.tape is not None:
                    self._tapes += [shadow.tape, *(Tape(env.unwrapped) for env in alike[1:])]
        else:
            name = type(venv).__name__
            self._found = [f"{name} is no VecEnv whose environments could be tried one by one"]

    def sentences(self) -> list[str]:
        """Why they do not come back exactly; none if they do."""
        if self._found is None:
            if isinstance(self._venv, SubprocVecEnv):
                self._found = workers.judge(self._venv)
            elif self._shadows and all(shadow.ready for shadow in self._shadows):
                found = [sentence for shadow in self._shadows for sentence in shadow.conclude()]
                self._found = list(dict.fromkeys(found))
                self._shadows.clear()
                if self._found:
                    self._let_tapes_go()
            self.found_wanting = bool(self._found)
        if self._found is None:
            return [f"the environments have not been tried yet: that takes {STEPS} steps of each"]
        return self._found

    def taped(self) -> tuple[dict[int, Any], list[str]]:
        """By ids of environments of this process, the episodes that stand for their states.

        Also why one is missing, sentences. Call it where `sentences` has found nothing.
        """
        told = {id(tape.env): tape.told() for tape in self._tapes}
        lost = [tape.why_not for tape in self._tapes if tape.why_not is not None]
        if lost:  # new episodes begin in all of them
            return {}, list(dict.fromkeys(lost))
        return told, []

    def close(self) -> None:
        """Let go of the environments; what has not been judged by now stays untried.

        Workers are not asked, they may be in the middle of a step; theirs end after their 32 steps.
        """
        for shadow in self._shadows:
            shadow.close()
        self._shadows.clear()
        self._let_tapes_go()

    def _let_tapes_go(self) -> None:
        for tape in self._tapes:
            tape.close()
        self._tapes.clear()


def _layers(env: Any) -> tuple[type, ...]:
    kinds = [type(env)]
    while isinstance(env, gymnasium.Wrapper):
        env = env.env
        kinds.append(type(env))
    return tuple(kinds)
