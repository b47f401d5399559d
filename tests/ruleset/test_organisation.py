"""The organisation tree: parents, managers, and trees that are wrong."""

from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.model import ClassGroup, Person, Unit
from eadm_sync.ruleset import Organisation


def test_line_path_and_manager_are_resolved():
    """A unit knows everything above it and who manages it."""
    organisation = Organisation(
        [Unit("12", "Skole", parent="1"), Unit("1", "Kommune", manager="hr:9")],
        [ClassGroup("5A", "5A", "12")],
        {"hr:9": Person("hr:9", "Kari", "Li")},
    )
    unit = organisation.unit("12")

    assert (unit.codes, unit.path) == (("1", "12"), ["Kommune", "Skole"])
    assert [node.code for node in unit.line] == ["12", "1"]
    assert (unit.parent.manager.given_name, unit.manager.given_name) == ("Kari", None)
    assert organisation.class_groups["5A"].unit is unit
    assert organisation.with_everything_below({"1"}) == {"1", "12"}


def test_what_is_not_there_is_empty_all_the_way_up():
    """A missing unit's parents and managers can be read and are missing."""
    unit = Organisation().unit(None)

    assert unit.parent.parent.manager.email is None
    assert unit.codes == ()


def test_missing_parent_is_a_problem_and_a_root():
    """The unit stays usable."""
    organisation = Organisation([Unit("12", parent="99")])

    assert organisation.problems == ("unit '12' has the parent '99', which is not there",)
    assert organisation.unit("12").codes == ("12",)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"), min_size=1))
def test_any_tree_ends(parents: dict[str, str]):
    """Whatever points at whatever, every unit has a finite line without repeats, and a cycle is told once."""
    organisation = Organisation([Unit(code, parent=parent) for code, parent in parents.items()])

    for unit in organisation.units.values():
        assert len(set(unit.codes)) == len(unit.codes) == len(unit.line)
    assert len(set(organisation.problems)) == len(organisation.problems)


def test_a_cycle_is_refused_as_a_problem():
    """Two units below each other are both kept, one of them at a root."""
    organisation = Organisation([Unit("a", parent="b"), Unit("b", parent="a")])

    assert len(organisation.problems) == 1
    assert "below itself" in organisation.problems[0]


def test_a_deep_tree_needs_no_deep_stack():
    """Ten thousand levels are no recursion error."""
    units = [Unit(str(level), parent=str(level - 1) if level else None) for level in range(2_000)]

    assert len(Organisation(reversed(units)).unit("1999").codes) == 2_000
