"""What a run notes of its own time: nothing, or when each thread had done each thing."""

from __future__ import annotations

from dataclasses import dataclass

from whet.emit.headers import amalgamate
from whet.emit.program import Program, Strips

LINES = 128  # bytes that no two threads share
MOST_WAITS = 1024  # inside stages, that are noted in one run

DEFINITIONS = """\
/* What one thread notes of a run: when it had done each thing; the ticks and the turns of each link
 * of strips; when it came to each wait inside stages, and when it left. */
struct watch {{
    _Alignas({lines}) i64 times[{times}];
    struct {{
        i64 ticks, turns;
    }} links[{links}];
    i64 waits;
    const struct model_host *host;
    struct {{
        i64 came, left;
    }} noted[{waits}];
}};
#define WATCH_DONE(thing) (watch->times[thing] = since = ticks())
#define WATCH_TURN(link)                            \\
    do {{                                            \\
        const i64 now = ticks();                    \\
        watch->links[link].ticks += now - since;    \\
        watch->links[link].turns++;                 \\
        since = now;                                \\
    }} while (0)
static void watch_wait(void *noting)
{{
    struct watch *const watch = noting;
    const i64 came = ticks(), number = watch->waits++;
    watch->host->wait(watch->host->pool);
    if (number < {waits})
        watch->noted[number].came = came, watch->noted[number].left = ticks();
}}
"""
BEGIN = """\
struct watch *const watch = (struct watch *)(arena + {offset}) + part;
const struct model_host watched = {{watch_wait, watch}};
i64 since = 0;
watch->host = host;
watch->waits = 0;
__builtin_memset(watch->links, 0, sizeof watch->links);
WATCH_DONE(0);
WATCH_DONE(1);"""


class Unwatched:
    """Notes nothing: texts stay as they are."""

    host = "host"  # for stages whose threads wait for each other

    def definitions(self) -> list[str]:
        """What stands before the function that runs the steps."""
        return []

    def begin(self) -> list[str]:
        """What the function begins with."""
        return []

    def step(self, text: str) -> str:
        """The text of the next step."""
        return text

    def link(self, text: str) -> str:
        """The text of the next link of strips."""
        return text

    def wait(self, text: str) -> str:
        """The text of a wait between steps."""
        return text


@dataclass(frozen=True, slots=True)
class Layout:
    """What each thread notes, as 64-bit words behind the arena.

    offset: of the first thread's, in bytes. each: words of a thread. Of those first come `times`
    times, then ticks and turns of `links` links, then how many waits there were inside stages, a
    word to skip, and when the thread came to each and left it, of `waits` at most.
    """

    offset: int
    times: int
    links: int
    waits: int

    @property
    def each(self) -> int:
        words = self.times + 2 * self.links + 2 + 2 * self.waits
        return -(-8 * words // LINES) * LINES // 8


class Watched(Unwatched):
    """Notes the time of each thread behind the arena of the program.

    done: what times 2, 3, ... are of: the number of the step that was done, or None for a wait;
    times 0 and 1 are both of the beginning, and tell what noting costs.
    """

    host = "&watched"

    def __init__(self, program: Program) -> None:
        steps = program.main.steps
        links = sum(len(step.links) for step in steps if isinstance(step, Strips))
        offset = -(-program.main.arena // LINES) * LINES
        self.layout = Layout(offset, 2 + 2 * len(steps), max(1, links), MOST_WAITS)
        self.done: list[int | None] = []
        self._steps = self._links = 0

    def definitions(self) -> list[str]:
        own = self.layout
        text = DEFINITIONS.format(lines=LINES, times=own.times, links=own.links, waits=own.waits)
        return [amalgamate(("ticks.h",)), text]

    def begin(self) -> list[str]:
        self.done, self._steps, self._links = [], 0, 0
        return [BEGIN.format(offset=self.layout.offset)]

    def step(self, text: str) -> str:
        self._steps += 1
        return self._then_noted(text, self._steps - 1)

    def link(self, text: str) -> str:
        self._links += 1
        return f"{text}\nWATCH_TURN({self._links - 1});"

    def wait(self, text: str) -> str:
        return self._then_noted(text, None)

    def _then_noted(self, text: str, done: int | None) -> str:
        self.done.append(done)
        return f"{text}\nWATCH_DONE({len(self.done) + 1});"
