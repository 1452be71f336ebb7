"""Which tests run where: those of one `xdist_group` in one process, one after the other, and long ones first.

pytest-xdist does the first by adding the group to each test's id, by an attribute that pytest 9.2 no longer reads: it
then runs every test on any worker, so that three layouts start at once, each for a third of the tests that share it.
Here the id is changed as this pytest has it. A pytest plugin.
"""

import pytest
from _pytest.nodeid import NodeId


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what is slow, or one worker is still busy with it when all the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if mark := item.get_closest_marker("xdist_group"):
            item._id = NodeId.parse(f"{item.nodeid}@{mark.args[0]}")
