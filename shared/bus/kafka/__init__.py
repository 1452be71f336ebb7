"""The bus on Apache Kafka: synced writes in order, consumer groups with positions in the service's database, and a
timeout for every wait. The only package that uses aiokafka.
"""

from shared.bus.kafka.access import Access
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.look import missing_topics

__all__ = ["Access", "KafkaBus", "missing_topics"]
