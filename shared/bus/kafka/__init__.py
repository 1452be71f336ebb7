"""Apache Kafka behind the bus port: synced writes in order, groups whose progress the service's database keeps, and
every wait with an end. The only place that knows aiokafka.
"""

from shared.bus.kafka.access import Access
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.look import missing_topics

__all__ = ["Access", "KafkaBus", "missing_topics"]
