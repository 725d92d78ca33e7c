"""What shipping costs in requests, at the list prices of S3 (us-east-1, standard class)."""

from __future__ import annotations

from typing import Final

from trackway.sync.cadence import IDLE_S, LOOK_S, WATCHED_S

DAY_S: Final = 86_400.0
PUT_USD: Final = 0.005 / 1000
GET_USD: Final = 0.0004 / 1000
# A shipment in the lane of curves and records, and one in that of steps.
_PUTS: Final = 2


def usd_per_day(watched_share: float, idle_s: float = IDLE_S) -> float:
    """Requests of one writer that records without a pause, for a day.

    Args:
        watched_share: For which share of the day somebody watches, 0 to 1.
        idle_s: How often is shipped while nobody does.
    """
    ships = DAY_S * (watched_share / WATCHED_S + (1 - watched_share) / idle_s)
    looks = DAY_S / LOOK_S
    # After each shipment one GET tells whether somebody has taken the run over.
    return ships * (_PUTS * PUT_USD + GET_USD) + looks * GET_USD


def sentence() -> str:
    """For people: what a day costs, unwatched and with an hour of watching."""
    return (
        f"Requests of a writer cost ${usd_per_day(0.0):.3f} a day unwatched and "
        f"${usd_per_day(1 / 24):.2f} with an hour of watching, at the prices of S3"
    )
