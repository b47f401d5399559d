"""Code that is put together by hand needs places before Python compiles it."""

import ast

from eadm_sync.expression.typed import located


def test_every_part_of_a_tree_is_located():
    """Also parts that were located before within another tree, which are not walked again."""
    shared = located(ast.Call(ast.Name("f", ast.Load()), [ast.Constant(1)], [ast.keyword("k", ast.Constant(2))]))

    tree = located(ast.Expression(ast.List([shared, ast.Constant(3)], ast.Load())))

    assert eval(compile(tree, "", "eval"), {"f": lambda one, k: one + k}) == [3, 3]  # noqa: S307 - a tree of our own
