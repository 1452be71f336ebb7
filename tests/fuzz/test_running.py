"""A running Baton, one process or the production layout, survives whatever it is sent and goes on assigning leads."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.fuzz.running import ask_anything, call_anything, post_anything, repeat_the_known
from tests.fuzz.test_targets import QUICK
from tests.journeys.processes import Running, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("layouts"), pytest.mark.timeout(600)]
PRODUCTION = [pytest.mark.kafka, pytest.mark.postgres]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("embedded", tmp_path_factory.mktemp("fuzz")) as baton:
        yield baton


@pytest.mark.parametrize("kind", ["embedded", pytest.param("production", marks=PRODUCTION)])
def test_what_once_stopped_baton_does_so_no_more(kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(kind, tmp_path_factory.mktemp(kind)) as baton:
        repeat_the_known(baton)


def test_whatever_is_posted_is_answered_and_good_leads_go_on(embedded: Running) -> None:
    post_anything(embedded, QUICK)


def test_whatever_is_asked_of_the_pages_is_answered(embedded: Running) -> None:
    ask_anything(embedded, QUICK)


def test_every_described_operation_answers_whatever_it_is_given(embedded: Running) -> None:
    call_anything(embedded, settings(QUICK, max_examples=8))
