"""Delivers every public event to every subscriber, and notices of promises to the people whom they concern: at least
once and always with the same id.

Subscribers receive webhooks (with retries over a day) or read `GET /v1/events`, as pages or as server-sent events. For
people, the channels of the agreement are tried one after the other until one takes the notice. What is pending is
stored together with the position in the log, and outcomes are recorded after sending. So after a crash it is sent again
rather than never. Of inquiries only what messages show is stored.

Consumes: baton.inquiries.v1, baton.assignments.v1, baton.escalations.v1
Publishes: baton.notice.delivered.v1, baton.notice.failed.v1
Stores: delivery_deliveries, delivery_events, delivery_inbox, delivery_inquiries, delivery_leads, delivery_messages,
delivery_notices, delivery_outbox, delivery_positions, delivery_recipients, delivery_subscriptions
"""
