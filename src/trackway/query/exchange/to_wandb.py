"""An offline run of Weights & Biases: scalars along `timestep`, settings and facts; `wandb sync` sends it."""

from __future__ import annotations

from pathlib import Path

from trackway.query.exchange.source import Source, facts_of
from trackway.query.extras import need


def export(source: Source, target: Path) -> list[Path]:
    """Write `wandb/offline-run-*` into the folder `target`; nothing is sent.

    Raises:
        MissingExtraError: wandb is not installed.
    """
    wandb = need("wandb", "export to Weights & Biases", "wandb")
    target.mkdir(parents=True, exist_ok=True)
    told = facts_of(source.facts)
    run = wandb.init(
        project="trackway",
        name=source.name,
        id=(source.facts.run_id or source.name)[:64],
        dir=str(target),
        mode="offline",
        config=source.facts.config,
        tags=source.facts.tags or None,
        notes=source.facts.note,
        settings=wandb.Settings(silent=True, console="off", x_disable_stats=True, save_code=False),
    )
    try:
        # Records of several streams may share a timestep: each is a step of its own.
        run.define_metric("timestep")
        run.define_metric("*", step_metric="timestep")
        for scalars in source.scalars():
            when = {"timestep": scalars.timestep, "_timestamp": scalars.unix_s}
            run.log(scalars.values | when)
        run.summary.update({name: value for name, value in told.items() if name != "tags"})
    finally:
        run.finish()
        if wandb.run is None:
            # Its service writes on for a moment; what is returned here is complete.
            wandb.teardown()
    return sorted(target.glob("wandb/offline-run-*"))
