"""The ready-made `map:` of a OneRoster source; an administrator's own takes its place."""

from __future__ import annotations

MAPPING = """\
people:
  from: users
  where: "not (row.role in ['guardian', 'parent', 'relative'])"
  key: "{{ row.sourcedId }}"
  given_name: "{{ row.givenName }}"
  family_name: "{{ row.familyName }}"
  birth_date: "{{ row.birthDate }}"
  email: "{{ row.email }}"
  mobile: "{{ row.sms if row.sms != '' else row.phone }}"
  username: "{{ row.username }}"
affiliations:
  from: roles
  where: "not (row.role in ['guardian', 'parent', 'relative'])"
  person: "{{ row.userSourcedId }}"
  key: "{{ row.userSourcedId }}-{{ row.orgSourcedId }}-{{ row.role }}"
  kind: "{{ 'pupil' if row.role == 'student' else ('teacher' if row.role == 'teacher' else 'employee') }}"
  title: "{{ '' if row.role == 'student' else row.role }}"
  unit: "{{ row.orgSourcedId }}"
  start: "{{ row.beginDate }}"
  end: "{{ row.endDate }}"
  primary: "{{ 'true' if row.roleType == 'primary' else 'false' }}"
units:
  from: orgs
  code: "{{ row.sourcedId }}"
  name: "{{ row.name }}"
  kind: "{{ row.type }}"
  parent: "{{ row.parentSourcedId }}"
class_groups:
  from: classes
  code: "{{ row.sourcedId }}"
  name: "{{ row.title }}"
  unit: "{{ row.schoolSourcedId }}"
  kind: "{{ 'class' if row.classType == 'homeroom' else 'teaching' }}"
  grade: "{{ row.grades }}"
  subject: "{{ row.subjects }}"
class_memberships:
  from: enrollments
  where: "row.role in ['student', 'teacher']"
  person: "{{ row.userSourcedId }}"
  class_group: "{{ row.classSourcedId }}"
  role: "{{ 'pupil' if row.role == 'student' else 'teacher' }}"
  unit: "{{ row.schoolSourcedId }}"
  start: "{{ row.beginDate }}"
  end: "{{ row.endDate }}"
"""
