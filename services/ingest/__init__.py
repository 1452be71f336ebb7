"""The only door in: leads from forms, ad platforms and scripts, activities from sales and the CRM.

What is accepted is on disk before its sender hears so, and stays there until the log has it; a log that is away is
nobody's problem outside. Authentic payloads that can't be read as a lead are kept aside, never lost. The spool
also remembers keys of requests for 30 days; next to it stands the key that makes lead ids.

Consumes: nothing
Publishes: baton.activity.recorded.v1, baton.inquiry.received.v1, baton.record.quarantined.v1,
baton.watermark.advanced.v1 Stores: the spool
"""
