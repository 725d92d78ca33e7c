"""What a store holds that no run needs."""

from __future__ import annotations

import orjson

from trackway.sync import layout, lease
from trackway.sync.adoption import headers
from trackway.sync.holdings import Holdings
from trackway.sync.mirror import ranks, runs
from trackway.sync.store import Store, StoredObject


def collect(store: Store, dry_run: bool) -> list[StoredObject]:
    """Delete what is not needed: blobs that no shipment names, and what trying the store left.

    Runs that go on are passed over: a blob is there before the shipment that names it.

    Returns:
        What went, or would go.
    """
    found = list(store.list("preflight/"))
    for run in runs(store):
        for rank in ranks(store, run):
            prefix = layout.rank_prefix(run, rank)
            if not _ended(store, prefix):
                continue
            named = _named_blobs(store, prefix)
            blobs = store.list(layout.blobs_prefix(prefix))
            found += [blob for blob in blobs if blob.key.rpartition("/")[2] not in named]
    if not dry_run:
        store.delete([item.key for item in found])
    return found


def _named_blobs(store: Store, prefix: str) -> set[str]:
    return {
        digest
        for epoch in lease.epochs(store, prefix)
        for lane in layout.LANES
        for header in headers(store, prefix, epoch.number, lane, 0, None)
        for entry in header.entries
        for digest in entry.blobs
    }


def _ended(store: Store, prefix: str) -> bool:
    """Whether the manifest that was shipped last says that the run has ended."""
    held = Holdings(store, prefix, layout.LANES[:1])
    if "run.json" not in held.files:
        return False
    ((_, manifest),) = held.fetch(["run.json"])
    return bool(orjson.loads(manifest).get("status", "running") != "running")
