"""What follows from the settings for writing: which attributes there are, and where objects may be put."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.active_directory import names
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.schema import ACCOUNT, ACCOUNT_NAME, GROUP, Attribute, attribute_of
from connectors.contract import Capabilities, Kind, Operation, PasswordRules

_OPERATION = "operation:"


@dataclass(frozen=True)
class Rules:
    """What holds for one kind of object.

    Attributes:
        kind: ACCOUNT or GROUP.
        attributes: Those that may be written, by name.
        required: Those that may be neither missing nor empty.
        unique: Those whose values no two objects of the kind may share; the account's name among them.
        mark: The attribute that says whose an object is.
        below: Objects are put in these containers and below only; empty: anywhere in the domain.
        default: Where an object is put for which no container is asked.
        object_class: For a new one.
    """

    kind: Kind
    attributes: Mapping[str, Attribute]
    required: tuple[str, ...]
    unique: tuple[str, ...]
    mark: str
    below: tuple[str, ...]
    default: str
    object_class: bytes


def rules_of(options: ActiveDirectoryOptions, base_dn: str) -> Mapping[Kind, Rules]:
    """The rules for accounts and for groups of one domain."""
    users = names.join("CN", "Users", base_dn)
    accounts = _table(ACCOUNT, options.attributes, options.owner_attribute)
    groups = _table(GROUP, options.group_attributes, options.group_owner_attribute)
    below, groups_below = options.account_containers, options.group_containers
    return {
        Kind.ACCOUNT: Rules(
            Kind.ACCOUNT,
            accounts,
            tuple(dict.fromkeys((ACCOUNT_NAME, *options.required))),
            tuple(dict.fromkeys((ACCOUNT_NAME, *options.unique))),
            options.owner_attribute,
            below,
            below[0] if below else users,
            b"user",
        ),
        Kind.GROUP: Rules(
            Kind.GROUP,
            groups,
            (ACCOUNT_NAME,),
            (ACCOUNT_NAME,),
            options.group_owner_attribute,
            groups_below,
            groups_below[0] if groups_below else users,
            b"group",
        ),
    }


def capabilities_of(options: ActiveDirectoryOptions) -> Capabilities:
    """What a domain with these settings can do; known without a connection."""
    rules = rules_of(options, "")
    accounts, groups = rules[Kind.ACCOUNT], rules[Kind.GROUP]
    return Capabilities(
        kinds=frozenset({Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING}),
        batch_size=options.batch_size,
        containers=True,
        soft_delete=options.recycle_bin,
        incremental=True,
        account_name=ACCOUNT_NAME,
        group_name=ACCOUNT_NAME,
        unique=accounts.unique,
        required=accounts.required,
        attributes={name: one.type for name, one in accounts.attributes.items()},
        group_attributes={name: one.type for name, one in groups.attributes.items()},
        max_lengths={name: one.max_length for name, one in accounts.attributes.items() if one.max_length is not None},
        concurrency=8,
        passwords=True,
        password_rules=password_rules_of(options),
        world_readable=_world_readable(options, accounts),
    )


def _world_readable(options: ActiveDirectoryOptions, accounts: Rules) -> frozenset[str]:
    """Authenticated Users may read whatever is not marked as confidential: docs/sensitive-attributes.md."""
    hidden = {name.casefold() for name in options.confidential_attributes}
    return frozenset(name for name in accounts.attributes if name.casefold() not in hidden)


def password_rules_of(options: ActiveDirectoryOptions) -> PasswordRules:
    """What the settings say of the domain's password policy."""
    strict = options.password_complexity
    return PasswordRules(options.password_min_length, 127, 3 if strict else 0, avoids_names=strict)  # 127: old tools


def mark_of(operation: Operation) -> str:
    """What a new object is marked with: whose it is, or else which operation made it."""
    return operation.owner or f"{_OPERATION}{operation.id}"


def owner_of(mark: str | None) -> str | None:
    """The owner that a mark names, if it does."""
    return None if mark is None or mark.startswith(_OPERATION) else mark


def _table(known: Mapping[str, Attribute], added: Mapping[str, str], mark: str) -> dict[str, Attribute]:
    table = {**known, **{name: attribute_of(name, type_) for name, type_ in added.items()}}
    table.pop(mark, None)
    return table
