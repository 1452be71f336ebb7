"""Delivers every public event to every subscriber, signed, at least once and always with the same id.

Subscribers receive webhooks (with retries over a day) or read `GET /v1/events`, as pages or as server-sent events.
Pending deliveries are stored together with the position in the log, and outcomes are recorded after sending. So after
a crash an event is sent again rather than never.

Consumes: baton.assignments.v1, baton.escalations.v1
Publishes: nothing
Stores: delivery_deliveries, delivery_events, delivery_inbox, delivery_outbox, delivery_positions,
delivery_subscriptions
"""
