"""What is claimed is sent within its lease, so that no one else sends it too."""

import pytest

from services.delivery.channels import http_client, mail
from services.delivery.workers.dispatcher import LEASE_S, SENDABLE_S

TO_RECORD_S = 5


@pytest.mark.parametrize("deadline_s", [http_client.DEADLINE_S, mail.DEADLINE_S])
def test_what_is_begun_at_the_last_moment_is_recorded_before_its_lease_ends(deadline_s: float) -> None:
    assert SENDABLE_S + deadline_s + TO_RECORD_S <= LEASE_S
