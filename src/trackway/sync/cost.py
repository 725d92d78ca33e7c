"""What shipping costs in requests, at the list prices of S3 (us-east-1, standard class)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trackway.sync.cadence import CHECK_S, IDLE_S, LOOK_S, WATCHED_S

DAY_S: Final = 86_400.0
PUT_USD: Final = 0.005 / 1000
GET_USD: Final = 0.0004 / 1000
# A shipment in the lane of curves and records, and one in that of steps.
_PUTS: Final = 2


@dataclass(frozen=True)
class Requests:
    puts: float
    gets: float

    @property
    def usd(self) -> float:
        return self.puts * PUT_USD + self.gets * GET_USD


def requests_per_day(watched_share: float, idle_s: float = IDLE_S) -> Requests:
    """Of one writer that records without a pause.

    Args:
        watched_share: For which share of the day somebody watches, 0 to 1.
        idle_s: How often is shipped while nobody does.
    """
    watched_s, unwatched_s = DAY_S * watched_share, DAY_S * (1 - watched_share)
    ships = watched_s / WATCHED_S + unwatched_s / idle_s
    # After a shipment, at most once a second, a GET tells whether somebody has taken the run over.
    checks = watched_s / max(CHECK_S, WATCHED_S) + unwatched_s / max(CHECK_S, idle_s)
    return Requests(_PUTS * ships, checks + DAY_S / LOOK_S)


def sentence() -> str:
    """For people: what a day takes, unwatched and with an hour of watching."""
    told = (
        f"{found.puts:,.0f} PUT and {found.gets:,.0f} GET {how}, ${found.usd:.3f}"
        for found, how in (
            (requests_per_day(0.0), "unwatched"),
            (requests_per_day(1 / 24), "with an hour of watching"),
        )
    )
    return f"Requests of a writer a day, at the prices of S3: {'; '.join(told)}"
