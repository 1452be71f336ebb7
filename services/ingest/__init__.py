"""Receives leads from forms, ad platforms and scripts, and activities from sales and the CRM.

Accepted facts are on disk before the sender gets its response, and stay there until the log has them, so an outage of
the log does not affect senders. Authentic payloads that cannot be read as a lead are quarantined, never lost. The spool
also remembers request keys for 30 days. The key for lead ids is stored next to it.

Consumes: nothing
Publishes: baton.activity.recorded.v1, baton.inquiry.received.v1, baton.record.quarantined.v1,
baton.watermark.advanced.v1 Stores: the spool
"""
