"""Steps that several threads run: what each thread takes, and what is lost to what."""

from __future__ import annotations

from whet.cli.show import Cell, Json
from whet.session.profile import Profile, Spread

STEP = ("layer", "kernel", "us of one", "of each thread")
LOST = ("slower", "uneven", "serial", "waits")
SPREAD_COLUMNS = (*STEP, *LOST)
EACH = 4  # threads that are told one by one


def spread_rows(profile: Profile) -> list[tuple[Cell, ...]]:
    """Rows of SPREAD_COLUMNS in the order of the run, microseconds."""
    return [
        (
            step.layer,
            step.kernel_text,
            _micro(step.seconds),
            _each(spread),
            _micro(spread.slower),
            _micro(spread.uneven),
            _micro(spread.serial),
            _micro(spread.waits),
        )
        for step in profile.steps
        if (spread := step.spread)
    ]


def call_columns(threads: int) -> tuple[str, ...]:
    """What a call takes, and of it the share of one thread's work and what is lost."""
    calls = ("call, one thread", f"call, {threads}")
    share = "half" if threads == 2 else f"1/{threads}"
    return (*calls, share, *LOST, "Python and the call")


def call_row(profile: Profile) -> tuple[Cell, ...]:
    """The row of `call_columns`, microseconds."""
    figures = (profile.call, profile.together, profile.share, *profile.lost().values())
    return tuple(map(_micro, figures))


def call_document(profile: Profile) -> dict[str, Json]:
    """Seconds of a call of one thread and of several, and what those lose; how many waits of a run
    count as work."""
    return {
        "one_thread": profile.call,
        "together": profile.together,
        "share": profile.share,
        "lost": profile.lost(),
        "unnoted_waits": profile.unnoted,
    }


def _each(spread: Spread) -> str:
    own = [1e6 * seconds for seconds in spread.each]
    if len(own) <= EACH:
        return " ".join(f"{us:.2f}" for us in own)
    return f"{sum(own) / len(own):.2f}, longest {max(own):.2f}"


def _micro(seconds: float) -> float:
    return round(1e6 * seconds, 2)
