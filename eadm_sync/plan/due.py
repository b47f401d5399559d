"""When each person who was looked at is to be looked at again, of a great many people in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, MutableMapping
from datetime import date

from eadm_sync.texts import SortedTexts

_UNKNOWN, _NEVER = -1, 0
"""What stands for "not noted" and for None among ordinal numbers of days."""


class DueDays(MutableMapping[str, date | None]):
    """Person id → the next day on which time alone can change something, or None.

    Of those who were named beforehand, memory holds four bytes each; a dictionary would hold a hundred.
    """

    def __init__(self, ids: SortedTexts) -> None:
        """Args: ids of those who are to be looked at."""
        self._ids = ids
        self._days = array("i", [_UNKNOWN]) * len(ids)
        self._others: dict[str, date | None] = {}

    def __getitem__(self, person_id: str) -> date | None:
        index = self._ids.find(person_id)
        if index is None:
            return self._others[person_id]
        number = self._days[index]
        if number == _UNKNOWN:
            raise KeyError(person_id)
        return None if number == _NEVER else date.fromordinal(number)

    def __setitem__(self, person_id: str, day: date | None) -> None:
        index = self._ids.find(person_id)
        if index is None:
            self._others[person_id] = day
        else:
            self._days[index] = _NEVER if day is None else day.toordinal()

    def __delitem__(self, person_id: str) -> None:
        index = self._ids.find(person_id)
        if index is None:
            del self._others[person_id]
        elif self._days[index] == _UNKNOWN:
            raise KeyError(person_id)
        else:
            self._days[index] = _UNKNOWN

    def __len__(self) -> int:
        return len(self._days) - self._days.count(_UNKNOWN) + len(self._others)

    def __iter__(self) -> Iterator[str]:
        for person_id, day in zip(self._ids, self._days, strict=True):
            if day != _UNKNOWN:
                yield person_id
        yield from self._others
