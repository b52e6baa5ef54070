"""Traces of a run, compared."""

from __future__ import annotations


def without_scratch(events: list) -> list:
    """The events without blocks that come and go while nothing else happens: what a kernel takes for itself.

    events: pairs that start with (number of a storage, +bytes or -bytes).
    """
    kept: list = []
    for event in events:
        if event[1] < 0 and kept and kept[-1][0] == event[0]:
            kept.pop()
        elif event[1] != 0:
            kept.append(event)
    return kept


def difference(predicted: list, measured: list) -> int | None:
    """Where two lists of events first differ in their bytes, or None."""
    for position, (a, b) in enumerate(zip(predicted, measured, strict=False)):
        if a[1] != b[1]:
            return position
    return None if len(predicted) == len(measured) else min(len(predicted), len(measured))


def stops_being_within(fake: list, real: list) -> int | None:
    """The first event of a fake run that does not follow in a real one; None where all do and what the real one has
    besides comes to nothing: memory that kernels take and give back, which FakeTensors do not see.

    What one operation gives is in any order.
    """
    rest = position = 0
    waiting: list[int] = []
    for event in real:
        if not waiting:
            waiting = [fake[k][1] for k in range(position, _end(fake, position))]
            position += len(waiting)
        if event[1] in waiting:
            waiting.remove(event[1])
        else:
            rest += event[1]
    return None if position == len(fake) and not waiting and rest == 0 else position - len(waiting)


def _end(events: list, start: int) -> int:
    """Where those of one operation end."""
    end = start
    while end < len(events) and events[end][3] == events[start][3] and (events[end][1] > 0) == (events[start][1] > 0):
        end += 1
    return end


def in_runs(events: list) -> list:
    """The events with those in a row of one sign sorted by size: what comes or goes together has no order."""
    found: list = []
    run: list = []
    for event in events:
        if run and (event[1] > 0) != (run[-1][1] > 0):
            found += sorted(run, key=lambda e: e[1])
            run = []
        run.append(event)
    return found + sorted(run, key=lambda e: e[1])


def parted(predicted: list, measured: list, in_order: bool = False) -> tuple[int | None, tuple[list, list]]:
    """Where two lists of events first differ, and both without what kernels take for themselves. in_order: whether the order
    of what comes or goes together counts too."""
    both = [without_scratch([tuple(event) for event in events]) for events in (predicted, measured)]
    if not in_order:
        both = [in_runs(events) for events in both]
    return difference(*both), tuple(both)


def beside(predicted: list, measured: list, position: int, around: int = 8) -> str:
    """Both lists side by side near a position, with the live bytes so far."""
    lines = [f"{'predicted':^70}|{'measured':^70}"]
    columns = [_lines(events, position, around) for events in (predicted, measured)]
    for number in range(max(map(len, columns))):
        left, right = (column[number] if number < len(column) else "" for column in columns)
        lines.append(f"{left:<70.70}|{right:<70}")
    return "\n".join(lines)


def _lines(events: list, position: int, around: int) -> list[str]:
    first = max(0, position - around)
    live = sum(event[1] for event in events[:first])
    lines = []
    for number, event in enumerate(events[first : position + around + 1], first):
        live += event[1]
        mark = ">" if number == position else " "
        lines.append(f"{mark}{event[1]:>+14,} {live:>15,} {' '.join(str(part) for part in event[2:])}")
    return lines
