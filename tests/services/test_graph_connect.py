"""The local Graph service plays Entra Connect."""

from __future__ import annotations

from tests.services.conftest import Client
from tests.services.graph.control import GraphService

OLA = {"onPremisesImmutableId": "b2xh", "userPrincipalName": "ola@kommune.example", "displayName": "Ola"}


def test_a_user_comes_after_a_while(client: Client, graph: GraphService):
    """Not before; once; and changes come the same way."""
    graph.synchronise(60.0, **OLA)
    before = client.get("/users").json()["value"]
    graph.forward(seconds=60)
    (came,) = client.get("/users?$select=displayName,onPremisesSyncEnabled").json()["value"]
    graph.synchronise(**{**OLA, "displayName": "Ola N."})
    (changed,) = client.get("/users?$select=displayName,onPremisesSyncEnabled").json()["value"]

    assert before == []
    assert (came["displayName"], came["onPremisesSyncEnabled"]) == ("Ola", True)
    assert changed == {**came, "displayName": "Ola N."}


def test_a_user_of_the_clouds_own_becomes_the_synchronised_one(client: Client, graph: GraphService):
    """By its name, as a soft match does; what is gone from Active Directory goes, and comes back as it was."""
    made = client.make_user("ola")
    graph.synchronise(**OLA)
    matched = client.get(f"/users/{made['id']}?$select=onPremisesSyncEnabled").json()
    graph.synchronise(gone=True, **OLA)
    gone = client.get(f"/users/{made['id']}").status_code
    graph.synchronise(**OLA)

    assert matched["onPremisesSyncEnabled"] is True
    assert gone == 404
    assert client.get(f"/users/{made['id']}").status_code == 200
