"""Settings of a service as plain data, for its command line, its state and its control interface."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, ClassVar, Self


class PlainConfig:
    """Base of a dataclass of settings with one more, `faults`, in it."""

    FAULTS: ClassVar[Any]
    """The class of `faults`."""

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """From plain data; unknown names are refused.

        Raises:
            TypeError: A name that is none of ours.
        """
        return cls(**{**data, "faults": cls.FAULTS(**data.get("faults", {}))})

    def plain(self: Any) -> dict[str, Any]:
        """As plain data; `of` takes it back."""
        return asdict(self)

    def change(self: Any, data: dict[str, Any]) -> None:
        """Takes over the settings named, and leaves the others; faults likewise one by one.

        Raises:
            KeyError: A name that is none of ours.
        """
        known = {one.name for one in fields(self)}
        for name, value in data.items():
            if name == "faults":
                self.faults = self.FAULTS(**{**asdict(self.faults), **value})
            elif name in known:
                setattr(self, name, value)
            else:
                raise KeyError(name)
