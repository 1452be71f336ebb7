"""Decides who gets a lead: judges each inquiry by the agreement and gives it to exactly one rep, with proof.

Consumes: baton.inquiries.v1, baton.activities.v1, baton.escalations.v1
Publishes: baton.lead.assigned.v1, baton.lead.reassigned.v1, baton.lead.parked.v1, baton.lead.rejected.v1,
  baton.lead.merged.v1, baton.lead.backdated.v1, baton.lead.split.v1, baton.lead.closed.v1, baton.lead.rescheduled.v1,
  baton.agreement.activated.v1
Stores: router_desk, router_leads, router_assignments, router_verdicts, router_journal, router_pools, router_reps,
  router_shadows, router_other_keys, router_early_facts, router_rejudgings, router_positions, router_inbox,
  router_outbox
"""
