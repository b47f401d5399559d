"""Google Workspace, by way of the Admin SDK: accounts, groups, memberships, groups in groups and licences."""
