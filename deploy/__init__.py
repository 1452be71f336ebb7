"""What runs Baton as separate services: images, migrations, topics, dashboards, and the real parts (Kafka,
PostgreSQL, a reverse proxy) for a machine without docker.
"""
