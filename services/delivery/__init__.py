"""The only door out: every public event, signed, to every subscriber, at least once and always under the same id.

A subscriber is told by webhook (pushed, with retries over a day), or asks for itself (`GET /v1/events`, as pages or as
server-sent events). What was decided is written with the position in the log; what was sent is recorded afterwards,
so a crash sends an event again rather than never.

Consumes: baton.assignments.v1, baton.escalations.v1
Publishes: nothing
Stores: delivery_deliveries, delivery_events, delivery_inbox, delivery_outbox, delivery_positions,
delivery_subscriptions
"""
