"""Teams upon Microsoft 365 groups: https://learn.microsoft.com/graph/api/team-put-teams, .../team-post.

A group has to have been there for a while, and to have an owner, before it can become a team.
"""

from __future__ import annotations

import re
from typing import Any

from .config import stable_id
from .contract import check_body
from .errors import Refused, bad_request, not_found
from .groups import UNIFIED
from .service import BASE, Answer, Call, Service
from .store import TEAM, Item

TEAM_TYPE = "microsoft.graph.team"


def _shown(item: Item, names: tuple[str, ...] = ()) -> dict[str, Any]:
    team = item.data[TEAM]
    shown = {
        "@odata.context": f"{BASE}/$metadata#teams/$entity",
        "id": item.id,
        "displayName": item.get("displayName"),
        "description": item.get("description"),
        "visibility": (item.get("visibility") or "public").lower(),
        "isArchived": team.get("archived", False),
        "webUrl": f"https://teams.microsoft.com/l/team/{item.id}",
        "specialization": "none" if team["template"] == "standard" else team["template"],
        **team.get("settings", {}),
    }
    return {name: value for name, value in shown.items() if not names or name in names}


def get_team(service: Service, call: Call) -> Answer:
    """GET /groups/{id}/team and /teams/{id}."""
    item = service.get("group", call.keys[0])
    if TEAM not in item.data:
        raise Refused(404, "NotFound", f"No team found with Group Id {item.id}")
    return Answer(200, _shown(item, call.options.select))


def put_team(service: Service, call: Call) -> Answer:
    """PUT /groups/{id}/team: makes a team of the group; 404 while the group is too new, 409 where it is one."""
    item = service.get("group", call.keys[0])
    item = _make(service, item, check_body(TEAM_TYPE, "PUT", call.body if call.body is not None else {}), "standard")
    return Answer(201, _shown(item))


def post_team(service: Service, call: Call) -> Answer:
    """POST /teams with `group@odata.bind`: makes a team of the group by a template, as of a class; 202."""
    body = check_body(TEAM_TYPE, "POST", call.body)
    template = re.search(r"teamsTemplates\('(\w+)'\)", body.get("template@odata.bind", ""))
    if template is None:
        raise bad_request("Bind requests must contain the template's address.", "InvalidValue", "template@odata.bind")
    key = re.search(r"groups(?:\('|/)([0-9a-fA-F-]{36})", body.get("group@odata.bind", ""))
    if key is None:
        raise bad_request("This service makes teams of groups only.", "InvalidValue", "group@odata.bind")
    item = _make(service, service.get("group", key[1]), body, template[1])
    operation = f"/teams('{item.id}')/operations('{stable_id(item.id)}')"
    return Answer(202, None, {"Location": operation, "Content-Location": f"/teams('{item.id}')"})


def get_operation(service: Service, call: Call) -> Answer:
    """GET /teams/{id}/operations/{id}."""
    item = service.get("group", call.keys[0])
    if TEAM not in item.data or call.keys[1] != stable_id(item.id):
        raise not_found(call.keys[1])
    return Answer(
        200,
        {
            "id": call.keys[1],
            "operationType": "createTeam",
            "createdDateTime": service.moment(),
            "status": "succeeded",
            "targetResourceId": item.id,
            "targetResourceLocation": f"/teams('{item.id}')",
        },
    )


def patch_team(service: Service, call: Call) -> Answer:
    """PATCH /teams/{id}."""
    item = service.get("group", call.keys[0])
    body = check_body("microsoft.graph.teamPatch", "PATCH", call.body)
    if TEAM not in item.data:
        raise Refused(404, "NotFound", f"No team found with Group Id {item.id}")
    own = {name: value for name, value in body.items() if name in {"displayName", "description", "visibility"}}
    settings = {**item.data[TEAM].get("settings", {}), **{name: body[name] for name in body if name not in own}}
    service.directory.change(item, **own, **{TEAM: {**item.data[TEAM], "settings": settings}})
    return Answer(204)


def archive_team(service: Service, call: Call) -> Answer:
    """POST /teams/{id}/archive and .../unarchive."""
    item = service.get("group", call.keys[0])
    if TEAM not in item.data:
        raise Refused(404, "NotFound", f"No team found with Group Id {item.id}")
    archived = not call.route.endswith("unarchive")
    service.directory.change(item, **{TEAM: {**item.data[TEAM], "archived": archived}})
    return Answer(202)


def _make(service: Service, item: Item, body: dict[str, Any], template: str) -> Item:
    if item.created + service.config.team_seconds > service.now():
        raise Refused(
            404,
            "NotFound",
            "Failed to execute Templates backend request CreateTeamFromGroupWithTemplateRequest. The group is not "
            "replicated yet.",
        )
    if UNIFIED not in item.data.get("groupTypes", ()):
        raise Refused(400, "BadRequest", "Failed to execute Templates backend request "
                      "CreateTeamFromGroupWithTemplateRequest. The group is not of type Unified.")  # fmt: skip
    if not service.directory.members(item.id, "owners"):
        raise Refused(400, "BadRequest", "Failed to execute Templates backend request "
                      "CreateTeamFromGroupWithTemplateRequest. The group has no owner.")  # fmt: skip
    if TEAM in item.data:
        raise Refused(409, "Conflict", f"Group {item.id} is already a team.")
    settings = {name: value for name, value in body.items() if name.endswith("Settings")}
    options = [*item.data.get("resourceProvisioningOptions", []), "Team"]
    team = {"template": template, "settings": settings}
    return service.directory.change(item, resourceProvisioningOptions=options, **{TEAM: team})
