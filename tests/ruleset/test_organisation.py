"""The organisation tree: parents, managers, and trees that are wrong."""

from hypothesis import given
from hypothesis import strategies as st

from eadm_sync.model import ClassGroup, Person, Unit
from eadm_sync.ruleset import Organisation
from eadm_sync.ruleset.organisation import MAX_DEPTH


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
    """Units in a cycle are all kept, each at a root whichever comes first; what is below them stays below them."""
    units = [Unit("c", parent="b"), Unit("a", parent="b"), Unit("b", parent="a")]
    for order in (units, units[::-1]):
        organisation = Organisation(order)

        assert {code: unit.codes for code, unit in organisation.units.items()} == {
            "a": ("a",),
            "b": ("b",),
            "c": ("b", "c"),
        }
        assert len(organisation.problems) == 1
        assert "below itself" in organisation.problems[0]


def test_a_deep_tree_is_cut():
    """Ten thousand levels are no recursion error, and cost no more memory than a hundred lines of the longest."""
    units = [Unit(str(level), parent=str(level - 1) if level else None) for level in range(10_000)]
    organisation = Organisation(reversed(units))

    assert max(len(unit.line) for unit in organisation.units.values()) == MAX_DEPTH
    assert organisation.unit(str(MAX_DEPTH)).codes == (str(MAX_DEPTH),)
    assert f"unit '{MAX_DEPTH}' has" in "".join(organisation.problems)
