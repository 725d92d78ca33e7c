"""`trackway check-probe`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from trackway.errors import ProbeError


def check(probe_name: str, env_name: str) -> None:
    """Print what a probe records of an environment.

    Raises:
        ProbeError: It does not keep its contract; the message lists how.
    """
    # Imported here: the other commands need no Gymnasium.
    from trackway.probes.load import examine

    found = examine(probe_name, env_name)
    if found.problems:
        raise ProbeError("; ".join([f"{probe_name} is not ready", *found.problems]))
    table = Table("field", "type", "unit", "description")
    for field in found.probe.schema:
        shape = list(field.shape) if field.shape else ""
        table.add_row(field.name, f"{field.dtype} {shape}".strip(), field.unit, field.description)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{probe_name} is good: {found.read_us:.1f} µs a reading")
