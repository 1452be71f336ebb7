"""An event log in one SQLite file, for all services of one process: what `publish` returned for survives a killed
process and a power cut, and groups, partitions and redelivery are as on Kafka.
"""

from shared.bus.embedded.bus import EmbeddedBus

__all__ = ["EmbeddedBus"]
