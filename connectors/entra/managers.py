"""Who manages whom: a reference to another account, set once both are there.

https://learn.microsoft.com/graph/api/user-post-manager
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from connectors.contract import Kind, Operation, Outcome, Value
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain, is_object_id
from connectors.entra.schema import ACCOUNT_NAME, EXTENSIONS, MANAGER, Table
from connectors.entra.searching import EVENTUAL, address, any_of, chunks
from connectors.errors import Rejected, Transient
from connectors.memory import Memory

LEFT_OUT = "the manager was left out: there is no such account yet"


@dataclass(frozen=True)
class Managers:
    """Makes the part of a chain that gives an account its manager.

    Attributes:
        graph_url: What references begin with.
        memory: What was made not long ago.
        found: Ids of accounts by what they are meant by, folded: the name they sign in with, or whose they are.
    """

    graph_url: str
    memory: Memory
    found: dict[str, str]

    def note(self, operation: Operation, anchor: str) -> None:
        """An account was made: it may be the manager of others in the same batch."""
        for meant_by in (operation.owner, operation.attributes.get(ACCOUNT_NAME)):
            if meant_by:
                self.found[str(meant_by).casefold()] = anchor

    def give(self, operation: Operation, anchor: str, stored: Mapping[str, Value], *, new: bool) -> Chain[Outcome]:
        """The outcome of an operation whose other attributes are written, `stored` of them otherwise than asked.

        A manager who is not there (yet) is left out and told of, since the account is of use without one.

        Raises:
            ConnectorError: The manager was refused; of an account that is not `new`, also that it takes a while.
        """
        if MANAGER not in operation.attributes:
            return Outcome(operation.id, None, anchor, dict(stored))
        wanted = str(operation.attributes[MANAGER] or "")
        if not wanted:
            yield from self._clear(anchor, new=new)
            return Outcome(operation.id, None, anchor, dict(stored))
        manager = self._id_of(wanted)
        if manager is None:
            yield ()  # who manages may be among those who are being made
            manager = self._id_of(wanted)
        if manager is None or not (yield from self._put(anchor, manager, new=new)):
            return Outcome(operation.id, None, anchor, {**stored, MANAGER: None}, LEFT_OUT)
        told = {} if manager == wanted else {MANAGER: manager}
        return Outcome(operation.id, None, anchor, {**stored, **told})

    def _clear(self, anchor: str, *, new: bool) -> Chain[None]:
        if new:
            return
        (response,) = yield [Ask("DELETE", f"/users/{anchor}/manager/$ref")]
        if not response.ok and response.status != HTTPStatus.NOT_FOUND:  # has none
            raise _refused(response, anchor)

    def _put(self, anchor: str, manager: str, *, new: bool) -> Chain[bool]:
        """Whether the manager was there to be given."""
        reference = {"@odata.id": f"{self.graph_url}/users/{manager}"}
        (response,) = yield [Ask("PUT", f"/users/{anchor}/manager/$ref", reference)]
        if response.ok:
            return True
        if response.status != HTTPStatus.NOT_FOUND:
            raise _refused(response, anchor)
        if new:
            return False
        if self.memory.is_settling(anchor) or self.memory.is_settling(manager):
            raise Transient("the account or its manager was made a moment ago, and Graph does not find it yet")
        (there,) = yield [Ask("GET", f"/users/{anchor}?$select=id")]
        if not there.ok:
            raise refusals.refusal(there, Kind.ACCOUNT, anchor)
        return False

    def _id_of(self, wanted: str) -> str | None:
        known = self.found.get(wanted.casefold()) or self.memory.made_for(wanted)
        return known or (wanted if is_object_id(wanted) else None)


def _refused(response: Response, anchor: str) -> Exception:
    error = refusals.refusal(response, Kind.ACCOUNT, anchor)
    return Rejected(error.reason, MANAGER) if isinstance(error, Rejected) else error


def find_managers(table: Table, wanted: Iterable[str]) -> Chain[dict[str, str]]:
    """Ids of the accounts that managers are meant by.

    Raises:
        ConnectorError: It cannot be found out.
    """
    names = [one for one in dict.fromkeys(wanted) if one and not is_object_id(one)]
    select = f"id,{ACCOUNT_NAME},{EXTENSIONS}"
    by_name = chunks([one for one in names if "@" in one])
    asks = [Ask("GET", address("/users", any_of(ACCOUNT_NAME, some), select)) for some in by_name]
    asks += [
        Ask("GET", address("/users", any_of(str(table.mark), some), select, eventual=True), None, EVENTUAL)
        for some in chunks([one for one in names if "@" not in one])
    ]
    responses: Sequence[Response] = (yield asks) if asks else ()
    found: dict[str, str] = {}
    for response in responses:
        if not response.ok:
            raise refusals.refusal(response, Kind.ACCOUNT, None)
        for one in response.body["value"]:
            for name in (one.get(ACCOUNT_NAME), table.mark_of(one)):
                if name:
                    found.setdefault(str(name).casefold(), str(one["id"]))
    return found
