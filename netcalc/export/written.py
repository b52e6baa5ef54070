"""What has been written so far. An attempt that fails takes back what it has added, but for the blocks it has finished."""

from __future__ import annotations

from contextlib import contextmanager

from .flow import NotParametric


class Written:
    """Dicts that only grow, and the order in which they did."""

    def __init__(self):
        self.plans: dict = {}  # name of a class -> its plan, in the order of the file
        self.by_scope: dict = {}  # id of an instance of a block -> the plan of its class
        self.groups: dict = {}  # ids of groups -> the plan of their class
        self.lists: dict = {}  # paths of the copies that are an nn.ModuleList, not an nn.Sequential
        self.class_names: dict = {}
        self.refused: dict = {}  # blocks that cannot be written
        self._added: list[tuple] = []

    def add(self, kind: str, key, value=True):
        """Note something: `kind` is one of the dicts."""
        found = getattr(self, kind)
        if key not in found:
            found[key] = value
            self._added.append((found, key))

    @contextmanager
    def attempt(self):
        """Something that may turn out NotParametric: then nothing of it is kept."""
        start = len(self._added)
        try:
            yield
        except NotParametric:
            while len(self._added) > start:
                found, key = self._added.pop()
                del found[key]
            raise

    @contextmanager
    def block(self, key):
        """The classes of a block: what they are does not depend on who asks, so they stay."""
        if key in self.refused:
            raise NotParametric("a block cannot be written")
        start = len(self._added)
        try:
            with self.attempt():
                yield
        except NotParametric:
            self.refused[key] = True
            raise
        del self._added[start:]
