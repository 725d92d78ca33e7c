"""What a part of a training offers so that its state can be taken and put back."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Stateful(Protocol):
    """An environment (any layer of it), a VecEnv or a callback that knows its own state.

    The names are those of torch. Whoever has both methods is asked; everything else is looked
    through attribute by attribute (`trackway.checkpoint.capture`).
    """

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what happens next.

        Numbers, strings, arrays, random generators, and lists, tuples and dicts of them; they may
        be live, they are copied at once.
        """
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; called on an object that was built as the first one was."""
        ...


def is_stateful(thing: object) -> bool:
    """Whether the object's class has both methods (a class itself, or a torch module, has not)."""
    kind = type(thing)
    return callable(getattr(kind, "state_dict", None)) and callable(
        getattr(kind, "load_state_dict", None)
    )
