"""How long a row can be on its way at most: the worst case of a state table, computed from its graph.

The bound is safe: no way through the table takes longer, whatever happens and when, as long as deadlines fire when
they pass. It is exact where each counter's dearest round can really be gone as often as its limit allows.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf

from mozpool_site.statemachine.graph import Count, Edge, Otherwise, edges, sets_back, strongly_connected
from mozpool_site.statemachine.spec import Spec


@dataclass(frozen=True)
class Way:
    """Which ways through a table count.

    `facts` gives the numbers that the table names; the values of the facts in `known` hold all the time, every other
    fact may change at every step. Events in `without` do not happen.
    """

    facts: object
    known: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


def worst_case(spec: Spec, start: str, until: Collection[str], way: Way) -> float:
    """Return the most seconds from entering the state `start` until one of `until` is entered.

    Every counter begins at nothing. A stay lasts its state's whole timeout, an edge its pause. Edges that raise a
    finite counter, which nothing within their strongly connected part sets back, can be taken as often as the limit
    allows and no more: they are taken out of the part, what remains of it is judged in the same manner, and each
    use of such an edge is charged with the longest way that can lead up to it, or with the longest that can follow,
    whichever sum is less (one that leads back into its own state with one more stay). The result is infinite where
    something goes round without a bound, or rests elsewhere.
    """
    ends = frozenset(until)
    begin = frozenset({start})
    table = _Table(spec, way, begin, ends)
    waiting = table.waiting()
    arrival = table.walk(table.states, begin)
    stuck = [name for name in arrival if name not in ends and not table.leads_on(name)]
    return inf if stuck else waiting + max((arrival[name] for name in arrival if name in ends), default=inf)


class _Table:
    """The edges that count, and what each state and edge costs."""

    def __init__(self, spec: Spec, way: Way, begin: frozenset[str], ends: frozenset[str]) -> None:
        self.spec = spec
        self.way = way
        self.ends = ends
        self.edges = [
            edge
            for edge in edges(spec)
            if not edge.stays and edge.state not in ends and edge.event not in way.without and self._may(edge)
        ]
        self.states = self._reached(begin)
        self.edges = [edge for edge in self.edges if edge.state in self.states]

    def waiting(self) -> float:
        """Take out counters that only lengthen stays, wherever those are; return what all their uses cost together."""
        raised = [(c.counter, edge) for edge in self.edges for c in edge.counts if c.bounds]
        bounding = {name for name, _ in raised} - {
            name for name, edge in raised if not self._only_stays(edge)
        }
        bounding -= {name for name in bounding for edge in self.edges if sets_back(self.spec, edge, name)}
        loops = [edge for name, edge in raised if name in bounding]
        price = {edge: edge.pause + self.stay(edge.state) for edge in loops}
        self.edges = [edge for edge in self.edges if edge not in price]
        return sum(self._budget(name, price) for name in bounding)

    def _may(self, edge: Edge) -> bool:
        for fact, value in edge.asks:
            if fact not in self.way.known:
                continue
            really = getattr(self.way.facts, fact)
            if really in value.cases if isinstance(value, Otherwise) else really != value:
                return False
        # A limit that allows no retry leaves no such edge.
        return all(count.taken == "exhausted" or self._uses(count) for count in edge.counts)

    def _uses(self, count: Count) -> float:
        """Return how often the edges of a counter can be taken, each n-th ones less often."""
        limit = self.number(count.limit)
        return limit // count.every if count.every else limit

    def number(self, value: float | str) -> float:
        """Return a number of the table, or the fact that it names."""
        return float(getattr(self.way.facts, value)) if isinstance(value, str) else float(value)

    def stay(self, name: str) -> float:
        """Return how long one visit of a state lasts at most; what ends the way, or passes, takes no time."""
        timeout = self.spec[name].timeout
        return 0.0 if name in self.ends or timeout is None else self.number(timeout)

    def leads_on(self, name: str) -> bool:
        """Whether a state is left without anybody's doing."""
        return self.spec[name].waits or self.spec[name].passes_to is not None

    def _reached(self, begin: Iterable[str]) -> frozenset[str]:
        """Return all states on any way."""
        found, frontier = set(begin), list(begin)
        while frontier:
            here = frontier.pop()
            new = {edge.target for edge in self.edges if edge.state == here} - found
            found |= new
            frontier += new
        return frozenset(found)

    def walk(
        self, states: frozenset[str], begin: frozenset[str], inner: list[Edge] | None = None
    ) -> dict[str, float]:
        """Return for each state the most seconds of a way within `states` that ends with a whole stay in it."""
        inner = self.edges if inner is None else inner
        parts = strongly_connected([(edge.state, edge.target) for edge in inner if edge.state in states])
        together = {name: frozenset(part) for part in parts for name in part}
        left = [together.get(name, frozenset({name})) for name in sorted(states)]
        longest: dict[str, float] = {}
        for part in self._in_order(list(dict.fromkeys(left)), inner):
            into = [e for e in inner if e.target in part and e.state in longest and e.state not in part]
            entries = (begin & part) | {edge.target for edge in into}
            if not entries:
                continue
            before = max((longest[edge.state] + edge.pause for edge in into), default=0.0)
            within = self._round(part, entries, [e for e in inner if e.state in part and e.target in part])
            longest |= {name: before + seconds for name, seconds in within.items()}
        return longest

    def _in_order(self, parts: list[frozenset[str]], inner: list[Edge]) -> list[frozenset[str]]:
        """Sort parts so that each comes after all that lead to it."""
        ordered: list[frozenset[str]] = []
        while parts:
            waiting = frozenset().union(*parts)
            first = next(
                part
                for part in parts
                if not any(e.target in part and e.state in waiting - part for e in inner)
            )
            parts.remove(first)
            ordered.append(first)
        return ordered

    def _round(self, part: frozenset[str], entries: frozenset[str], inner: list[Edge]) -> dict[str, float]:
        """Return what `walk` does, for a part whose states all lead to each other."""
        if not inner:
            return {name: self.stay(name) for name in part}
        bounding = {count.counter for edge in inner for count in edge.counts if count.bounds}
        bounding -= {name for name in bounding for edge in inner if sets_back(self.spec, edge, name)}
        counted = [e for e in inner if any(c.bounds and c.counter in bounding for c in e.counts)]
        if not counted:
            return dict.fromkeys(part, inf)
        rest = [edge for edge in inner if edge not in counted]
        loops = {edge: edge.pause + self.stay(edge.state) for edge in counted if self._only_stays(edge)}
        jumps = [edge for edge in counted if edge not in loops]
        # Two prices of a jump, each of them safe: the way that led up to it, or the one that follows it.
        led = self.walk(part, entries | frozenset(edge.target for edge in jumps), rest)
        before = {edge: edge.pause + led[edge.state] for edge in jumps if edge.state in led}
        extra = sum(self._budget(name, loops | before) for name in bounding)
        by_end = {name: extra + seconds for name, seconds in led.items()}
        begun = self.walk(part, entries, rest)
        follows = {target: self.walk(part, frozenset({target}), rest) for target in {e.target for e in jumps}}
        leaving = {edge.state for edge in jumps}
        return {
            name: min(seconds, self._by_begin(name, leaving, begun, follows, jumps, loops, bounding))
            for name, seconds in by_end.items()
        }

    def _by_begin(
        self,
        name: str,
        leaving: set[str],
        begun: Mapping[str, float],
        follows: Mapping[str, Mapping[str, float]],
        jumps: list[Edge],
        loops: Mapping[Edge, float],
        bounding: set[str],
    ) -> float:
        ends = leaving | {name}

        def longest(ways: Mapping[str, float]) -> float:
            return max((seconds for end, seconds in ways.items() if end in ends), default=0.0)

        price = {**loops, **{edge: edge.pause + longest(follows[edge.target]) for edge in jumps}}
        return longest(begun) + sum(self._budget(counter, price) for counter in bounding)

    def _only_stays(self, edge: Edge) -> bool:
        """Whether taking an edge makes a stay longer and no more."""
        return edge.target == edge.state and not edge.forgets and not self.spec[edge.target].forgets_failures

    def _budget(self, counter: str, price: Mapping[Edge, float]) -> float:
        """Return the most that all uses of one counter cost: the dearest edges first, each as often as it may."""
        offers: list[tuple[float, float]] = []
        left = 0.0
        for edge, seconds in price.items():
            for count in edge.counts:
                if count.counter == counter and count.bounds:
                    left = max(left, self.number(count.limit))
                    offers.append((seconds, self._uses(count)))
        total = 0.0
        for seconds, uses in sorted(offers, reverse=True):
            taken = min(uses, left)
            total += taken * seconds
            left -= taken
        return total
