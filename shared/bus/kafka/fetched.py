"""The records of a fetch, so that no batch can stop a consumer for good.

aiokafka raises at every poll if it cannot read a batch: a header whose name is not UTF-8, a codec that is not
installed. Nothing after that batch, in any partition of the member, would ever be read. Here such a record carries the
reason instead. A batch with a wrong checksum was damaged in the log, including its good records, so it is left out: the
gap in the offsets is then noticed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record of which only the place is known, and why it can't be read."""

    topic: str
    partition: int
    offset: int
    reason: str


class FetchedRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The fetched records of one partition, in the order of their offsets."""

    def _unpack_records(self) -> Iterator[ConsumerRecord | UnreadableRecord]:
        while self._records.has_next():
            batch = self._records.next_batch()
            if batch.validate_crc():
                yield from self._of_batch(batch)
            self.next_fetch_offset = batch.next_offset

    def _of_batch(self, batch: Any) -> Iterator[ConsumerRecord | UnreadableRecord]:
        if batch.is_control_batch:
            yield from self._unreadable(batch, "it marks the end of a transaction, and Baton writes none")
            return
        try:
            for record in batch:
                if record.offset >= self.next_fetch_offset:
                    self.next_fetch_offset = record.offset + 1
                    yield self._consumer_record(self._tp, record)
        except Exception as error:  # the parser meets any bytes, and fails in any way
            yield from self._unreadable(batch, f"the Kafka client fails on it ({type(error).__name__}: {error})")

    def _unreadable(self, batch: Any, reason: str) -> Iterator[UnreadableRecord]:
        """The rest of the batch."""
        for offset in range(self.next_fetch_offset, batch.next_offset):
            self.next_fetch_offset = offset + 1
            yield UnreadableRecord(self._tp.topic, self._tp.partition, offset, reason)


def install() -> None:
    """Have all consumers of this process read in this way; aiokafka has no option for it."""
    fetcher.PartitionRecords = FetchedRecords
