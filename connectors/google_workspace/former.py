"""Former addresses: Google keeps them as aliases after a rename, of users and groups alike."""

from __future__ import annotations

MAY_BE_FORMER = "it has had this address before, and aliases: one of them may be a former address that was to go"


class Former(dict[str, str]):
    """Addresses from before a rename that have to go or be told of yet, by the object's id; outlives a batch."""

    def renaming(self, anchor: str, before: str, after: str) -> None:
        """Notes an address before the rename is asked for: what comes then can fail, and only we know what it was.

        Args: the object's id; its address as it is and as it shall be, folded.
        """
        if before != after:
            self[anchor] = before
        elif self.get(anchor) == after:  # that rename was refused
            del self[anchor]
