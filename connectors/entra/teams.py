"""What kinds of groups there are, and Microsoft 365 groups that become teams.

A group becomes a team once it has an owner and Teams knows it, which takes up to 15 minutes; it stays one for good.
https://learn.microsoft.com/graph/api/team-put-teams and .../team-post
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from connectors.contract import Kind, Operation, Outcome, Value
from connectors.entra import refusals
from connectors.entra.batching import Response
from connectors.entra.chains import Ask, Chain
from connectors.entra.schema import GROUP_TYPE, MICROSOFT_365, NICKNAME, SECURITY, TEAM, TEMPLATE
from connectors.errors import ConnectorError, Rejected, Transient

UNIFIED = "Unified"
SHAPE = "groupTypes,mailEnabled,onPremisesSyncEnabled,resourceProvisioningOptions"
"""What `type_of` and `is_team` look at."""
TEMPLATES = ("educationClass", "educationProfessionalLearningCommunity", "educationStaff")
"""https://learn.microsoft.com/microsoftteams/get-started-with-teams-templates; left out, a team is a plain one."""
SHAPED_BY = frozenset({GROUP_TYPE, TEAM, TEMPLATE, NICKNAME})
"""Attributes for which one has to know what a group is before they are changed."""
LEFT_OUT = "it becomes a team as soon as it has an owner"


def type_of(group: Mapping[str, Any]) -> str:
    """The type of a group as rulesets name it; two more are Exchange's, and only read."""
    if UNIFIED in (group.get("groupTypes") or ()):
        return MICROSOFT_365
    if group.get("mailEnabled"):
        return "mailEnabledSecurity" if group.get("securityEnabled") else "distribution"
    return SECURITY


def is_team(group: Mapping[str, Any]) -> bool:
    """Whether a Microsoft 365 group is a team."""
    return "Team" in (group.get("resourceProvisioningOptions") or ())


def template_of(team: Mapping[str, Any]) -> str | None:
    """The template that a team was made by, where it is no plain one."""
    found = team.get("specialization")
    return found if found in TEMPLATES else None


def wanted_type(given: Mapping[str, Value]) -> str:
    """The type that a new group shall have.

    Raises:
        Rejected: Names the attribute that does not fit the others.
    """
    team, template = bool(given.get(TEAM)), given.get(TEMPLATE)
    type_ = given.get(GROUP_TYPE) or (MICROSOFT_365 if team else SECURITY)
    if type_ not in (SECURITY, MICROSOFT_365):
        raise Rejected(f"shall be {SECURITY} or {MICROSOFT_365}: others are made in Exchange", GROUP_TYPE)
    if team and type_ != MICROSOFT_365:
        raise Rejected(f"only a group of the type {MICROSOFT_365} becomes a team", TEAM)
    if template and not team:
        raise Rejected("only a team has one", TEMPLATE)
    _check_template(template)
    if type_ == MICROSOFT_365 and not given.get(NICKNAME):
        raise Rejected(f"a {MICROSOFT_365} group needs one: its mail address begins with it", NICKNAME)
    if type_ == SECURITY and given.get(NICKNAME):
        raise Rejected("a security group has no mail: there it says whose the group is", NICKNAME)
    return str(type_)


def _check_template(template: Value) -> None:
    """Refuses what is none: it becomes a part of an address."""
    if template and template not in TEMPLATES:
        raise Rejected(f"shall be one of {', '.join(TEMPLATES)}", TEMPLATE)


@dataclass(frozen=True)
class Teams:
    """Makes the part of a chain that turns groups into teams.

    Attributes:
        graph_url: What references begin with.
    """

    graph_url: str

    def put_off(self, operation: Operation, anchor: str) -> Outcome:
        """The outcome for a new group: who owns it comes later, and only then it can be a team."""
        if not operation.attributes.get(TEAM):
            return Outcome(operation.id, None, anchor)
        left_out: dict[str, Value] = {name: None for name in (TEAM, TEMPLATE) if operation.attributes.get(name)}
        return Outcome(operation.id, None, anchor, left_out, LEFT_OUT)

    def check(self, operation: Operation, group: Mapping[str, Any]) -> None:
        """Refuses to make a group another one than it is.

        Raises:
            Rejected: Names the attribute.
        """
        given, type_ = operation.attributes, type_of(group)
        _check_template(given.get(TEMPLATE))
        if GROUP_TYPE in given and (given[GROUP_TYPE] or SECURITY) != type_:
            raise Rejected(f"the type of a group cannot change: it is {type_}", GROUP_TYPE)
        if given.get(TEAM) and type_ != MICROSOFT_365:
            raise Rejected(f"only a group of the type {MICROSOFT_365} becomes a team", TEAM)
        if TEAM in given and not given[TEAM] and is_team(group):
            raise Rejected("a team stays one: archive it in Teams, or delete the group", TEAM)
        if NICKNAME in given and type_ == SECURITY:
            raise Rejected("a security group has no mail: there it says whose the group is", NICKNAME)

    def give(self, operation: Operation, anchor: str, group: Mapping[str, Any]) -> Chain[Outcome]:
        """The outcome of a change to a group that `check` let through; makes it a team where that is asked for.

        Raises:
            ConnectorError: It was refused.
        """
        done = Outcome(operation.id, None, anchor)
        wanted = operation.attributes.get(TEMPLATE)
        if is_team(group):
            if TEMPLATE in operation.attributes:
                yield from self._keep_template(anchor, wanted)
            return done
        if not operation.attributes.get(TEAM):
            return done
        (owners,) = yield [Ask("GET", f"/groups/{anchor}/owners?$select=id&$top=1")]
        if not owners.ok:
            raise self._refusal(owners, anchor)
        if not owners.body["value"]:
            return self.put_off(operation, anchor)
        (response,) = yield [self._ask(anchor, wanted)]
        if response.ok or response.status == HTTPStatus.CONFLICT:  # it is a team already
            return done
        raise self._refusal(response, anchor)

    def _ask(self, anchor: str, template: Value) -> Ask:
        if not template:
            return Ask("PUT", f"/groups/{anchor}/team", {})
        by, of = f"{self.graph_url}/teamsTemplates('{template}')", f"{self.graph_url}/groups('{anchor}')"
        return Ask("POST", "/teams", {"template@odata.bind": by, "group@odata.bind": of})

    def _keep_template(self, anchor: str, wanted: Value) -> Chain[None]:
        (team,) = yield [Ask("GET", f"/teams/{anchor}?$select=id,specialization")]
        if not team.ok:
            raise self._refusal(team, anchor)
        if template_of(team.body) != (wanted or None):
            raise Rejected("what a team was made by cannot change", TEMPLATE)

    def _refusal(self, response: Response, anchor: str) -> ConnectorError:
        if response.status == HTTPStatus.NOT_FOUND:
            return Transient("Teams does not know the group yet: that takes up to 15 minutes")
        error = refusals.refusal(response, Kind.GROUP, anchor)
        return Rejected(error.reason, TEAM) if isinstance(error, Rejected) else error
