"""Live bytes over the events of a trace: their peaks, when and where those are, and what is alive then.

A trace is a list of storages and the order in which they are allocated and freed. Bytes are ints, formulas or arrays
(a number for each design): plain cumulation and `arith.maximum` serve them all.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from ..arith import Domain, Extreme, Formula, atom_formula, is_array, maximum
from .envelope import ANYWHERE, BOXES, SINGLE, Lead, leads, undominated

#: every kind of storage, in the order in which people expect to read them: what stays, then what comes and goes
KINDS = (
    "parameters", "buffers", "inputs", "gradients", "optimizer", "saved", "output", "temporary", "workspace",
)  # fmt: skip

MANY = 64  # arrays that are kept until their maximum is taken


class Phase(NamedTuple):
    """A stretch of the events, `start` to `end` (excluded): setup, forward, loss, backward or optimizer of one step."""

    name: str
    step: int
    start: int
    end: int


class Candidate(NamedTuple):
    """An instant that is the peak for some sizes. lead: such sizes, as far as they are known."""

    event: int
    bytes: object
    lead: Lead


class Peak(NamedTuple):
    """The most bytes alive at once in a stretch of the events.

    event: the event after which so many are alive (an array of them for arrays), -1 before the first one. candidates:
    for formulas, each instant that is the peak for some sizes, in the order of time; else empty.
    """

    bytes: object
    event: object
    phase: Phase | None
    layer: str
    candidates: tuple[Candidate, ...] = ()


class Timeline:
    """A trace with its events summed up. domain: the sizes for which its formulas hold. effort: to find formulas that are
    nowhere the highest, see `envelope`."""

    def __init__(self, trace, domain: Domain = ANYWHERE, effort: int = BOXES):
        self.trace, self.domain, self.effort = trace, domain, effort
        self._known: dict[tuple, dict] = {}
        self.phases = phases(trace)
        self._layer_starts = [position for position, _ in trace.layers]
        self._peaks = self._scan()

    # -- peaks

    def peak(self, phase: str | None = None, step: int | None = None) -> Peak | None:
        """The peak of a phase, a step, or of everything; of several stretches the first that reaches it. None where
        there is no such phase."""
        found = [
            peak for peak in self._peaks if phase in (None, peak.phase.name) and step in (None, peak.phase.step)
        ]  # fmt: skip
        return self._placed(self._highest(found)) if found else None

    def _highest(self, peaks: list[Peak]) -> Peak:
        """Of formulas with sizes for which each is the highest, looked for as long as it takes."""
        may_be = tuple(one for peak in peaks for one in _instants(peak))
        if not any(isinstance(peak.bytes, Formula) for peak in may_be):
            return _highest(peaks, self.domain)
        key = tuple(str(peak.bytes) for peak in may_be)  # both steps often have the same
        if key not in self._known:
            self._known[key] = leads([peak.bytes for peak in may_be], self.domain, self.effort)
        return _highest_formula(may_be, self.domain, self._known[key])

    @property
    def steps(self) -> list[int]:
        """The numbers of the steps in the trace; setup belongs to none."""
        return sorted({phase.step for phase in self.phases if phase.name != "setup"})

    def _scan(self) -> list[Peak]:
        """The peak of each phase. What is alive when a phase begins counts for it too."""
        found, level = [], 0
        for phase in self.phases:
            peak, level = _peak_within(self.trace, phase, level, self.domain)
            found.append(peak)
        return found

    def _placed(self, peak: Peak) -> Peak:
        """With the layer at work, where there is one instant to speak of."""
        if is_array(peak.event) or peak.phase is None:
            return peak
        return peak._replace(layer=self.layer(max(peak.event, peak.phase.start)))

    # -- an instant

    def layer(self, event: int) -> str:
        """The path of the layer at work at an event, empty outside of any."""
        at = bisect_right(self._layer_starts, event) - 1
        return self.trace.layers[at][1] if at >= 0 else ""

    def phase(self, event: int) -> Phase | None:
        return next((phase for phase in self.phases if phase.start <= event < phase.end), None)

    def alive(self, event: int) -> list:
        """The storages that are alive after an event, in the order of their allocation."""
        living: dict[int, None] = {}
        for index, change in self.trace.events[: event + 1]:
            if change > 0:
                living[index] = None
            else:
                living.pop(index, None)
        return [self.trace.storages[index] for index in living]

    def live(self, event: int) -> dict:
        """Bytes alive after an event, by kind: those kinds that have any."""
        return by_kind(self.alive(event))

    def largest(self, event: int, count: int = 5) -> list:
        """The largest storages alive after an event, the largest first; sizes must be numbers."""
        return sorted(self.alive(event), key=lambda storage: -storage.bytes)[:count]

    def most(self) -> dict:
        """The most bytes that each kind has at any time; kinds that never have any are left out."""
        storages, found = self.trace.storages, {}
        for event in self.trace.events:
            found.setdefault(storages[event[0]].kind, []).append(event)
        return _ordered({kind: self._most_of(events) for kind, events in found.items()})

    def _most_of(self, events: list):
        levels = list(accumulate(_changes(self.trace, events)))
        if set(map(type, levels)) == {int}:
            return max(levels)
        tops = [level for level, (_, change) in zip(levels, events, strict=True) if change > 0]
        if any(map(is_array, tops)):
            return maximum(*tops)
        found = [self.domain.tidied(tops[index]) for index in undominated(tops, self.domain)]
        return found[0] if len(found) == 1 else atom_formula(Extreme("max", tuple(found)))

    # -- the whole course

    def levels(self) -> list:
        """Bytes alive after each event."""
        return list(accumulate(_changes(self.trace, self.trace.events)))

    def stacked(self) -> dict[str, list]:
        """Bytes alive after each event, by kind; the kinds add up to `levels`."""
        storages = self.trace.storages
        used = {storages[index].kind for index, _ in self.trace.events}
        now = {kind: 0 for kind in [*KINDS, *sorted(used - {*KINDS})] if kind in used}
        found: dict[str, list] = {kind: [] for kind in now}
        for index, change in self.trace.events:
            storage = storages[index]
            now[storage.kind] = now[storage.kind] + change * storage.bytes
            for kind, level in now.items():
                found[kind].append(level)
        return found


def phases(trace) -> list[Phase]:
    """The phases of a trace in order. Events before the first mark, if any, are setup."""
    end = len(trace.events)
    marks = list(trace.marks)
    if not marks or marks[0][0] > 0:
        marks.insert(0, (0, "setup", 0))
    ends = [position for position, *_ in marks[1:]] + [end]
    return [Phase(name, step, start, until) for (start, name, step), until in zip(marks, ends, strict=True)]


def by_kind(storages) -> dict:
    """The bytes of storages by kind."""
    found: dict = {}
    for storage in storages:
        found[storage.kind] = found.get(storage.kind, 0) + storage.bytes
    return _ordered({kind: size for kind, size in found.items() if isinstance(size, Formula) or is_array(size) or size})


def _ordered(kinds: dict) -> dict:
    order = {kind: place for place, kind in enumerate(KINDS)}
    return dict(sorted(kinds.items(), key=lambda item: order.get(item[0], len(order))))


def _peak_within(trace, phase: Phase, level, domain: Domain) -> tuple[Peak, object]:
    """The peak of a phase that begins with `level` bytes alive, and the bytes alive at its end."""
    changes = _changes(trace, trace.events[phase.start : phase.end])
    if {type(level), *map(type, changes)} != {int}:
        return _peak_of_any(trace, phase, level, domain)
    levels = list(accumulate(changes, initial=level))
    best = max(levels)
    return Peak(best, phase.start - 1 + levels.index(best), phase, ""), levels[-1]


def _changes(trace, events: list) -> list:
    """By how many bytes each event changes what is alive."""
    storages = trace.storages
    return [change * storages[index].bytes for index, change in events]


def _peak_of_any(trace, phase: Phase, level, domain: Domain) -> tuple[Peak, object]:
    """The same where sizes may be formulas or arrays."""
    best = level
    tops = [(phase.start - 1, level)]  # instants that an allocation leads up to and a free comes after
    rising = False
    for position in range(phase.start, phase.end):
        index, change = trace.events[position]
        if rising and change < 0:
            tops.append((position - 1, level))
        rising = change > 0
        level = level + change * trace.storages[index].bytes
        if len(tops) > MANY and is_array(level):  # not all of them in memory at once
            best = _highest([Peak(size, event, phase, "") for event, size in tops], domain)
            tops = [(best.event, best.bytes)]
    if rising:
        tops.append((phase.end - 1, level))
    return _highest([Peak(size, event, phase, "") for event, size in tops], domain), level


def _highest(peaks: list[Peak], domain: Domain) -> Peak:
    """The highest of several, the first of equal ones; for arrays one for each design, for formulas all that may be."""
    if any(is_array(peak.bytes) for peak in peaks):
        return _highest_each(peaks)
    if not any(isinstance(peak.bytes, Formula) for peak in peaks):
        return max(peaks, key=lambda peak: peak.bytes)
    may_be = [one for peak in peaks for one in _instants(peak)]
    return _highest_formula(may_be, domain, leads([peak.bytes for peak in may_be], domain, SINGLE))


def _highest_formula(peaks, domain: Domain, found: dict[int, Lead]) -> Peak:
    """The maximum of formulas, with the instants that can be the highest: those that were found to lead."""
    kept = sorted(found)
    sizes = {index: domain.tidied(peaks[index].bytes) for index in kept}
    if len(kept) == 1:
        return peaks[kept[0]]._replace(bytes=sizes[kept[0]])
    instants = tuple(Candidate(peaks[index].event, sizes[index], found[index]) for index in kept)
    highest = atom_formula(Extreme("max", tuple(sizes.values())))  # none is above another
    return peaks[kept[0]]._replace(bytes=highest, candidates=instants)


def _instants(peak: Peak) -> list[Peak]:
    return [peak._replace(bytes=one.bytes, event=one.event, candidates=()) for one in peak.candidates] or [peak]


def _highest_each(peaks: list[Peak]) -> Peak:
    import numpy

    best, event = peaks[0].bytes, peaks[0].event
    for peak in peaks[1:]:
        better = peak.bytes > best
        best, event = numpy.where(better, peak.bytes, best), numpy.where(better, peak.event, event)
    return Peak(best, event, peaks[0].phase if len({peak.phase for peak in peaks}) == 1 else None, "")
