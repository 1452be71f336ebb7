"""The agreement of a company in its first and its second version, for a year in virtual time."""

AGREEMENT = """\
agreement: company
version: {version}
effective_from: {effective_from}
approved_by:
  marketing: {{name: Mara, on: 2026-12-01}}
  sales: {{name: Sam, on: 2026-12-01}}
timezone: Europe/Brussels
calendars:
  office:
    timezone: Europe/Brussels
    hours: {{mon-thu: [09:00-12:30, 13:30-18:00], fri: [09:00-16:00]}}
    holidays: [BE]
  overseas: {{timezone: America/New_York, hours: {{mon-fri: [09:00-17:00]}}, holidays: [US]}}
definitions:
  mql: {{minimum_data: [contact.email], consent: {{basis: [opt_in]}}, hand_off_within: 10 minutes}}
people:
  - {{id: ann, email: ann@acme.example, calendar: office, reports_to: mia, deputy: bob, on_leave: move}}
  - {{id: bob, email: bob@acme.example, calendar: office, reports_to: mia}}
  - {{id: cleo, email: cleo@acme.example, calendar: office, reports_to: mia, max_open: 60}}
  - {{id: dirk, email: dirk@acme.example, calendar: overseas, reports_to: max}}
  - {{id: eve, email: eve@acme.example, calendar: overseas, reports_to: max, on_leave: move}}
  - {{id: mia, email: mia@acme.example, role: manager}}
  - {{id: max, email: max@acme.example, role: manager}}
  - {{id: mara, email: mara@acme.example, role: manager}}
pools:
  europe: {{members: {{ann: 2, bob: 1, cleo: 1}}, strategy: weighted_turns}}
  overseas: {{members: {{dirk: 1, eve: 1}}, only_in_hours: true, when_nobody_available: {{park_in: triage}}}}
queues:
  triage: {{owner: mia}}
routing:
  - {{name: returning, when: {{lead: owned}}, to: {{owner: lead}}, unless_away_for: 2 business days}}
  - {{name: overseas, when: {{field: contact.country, op: is, value: US}}, to: {{pool: overseas}}}}
  - {{name: everyone else, to: {{pool: europe}}}}
promises:
  sales:
    first_response: {{within: {within}, clock: rep_calendar, met_by: [call, email, meeting], ladder: response}}
    attempts: {{at_least: 3, within: 4 business days, met_by: [call, email], ladder: gentle}}
    disposition: {{within: 6 business days, met_by: [accepted, rejected], ladder: gentle}}
    pause: {{at_most: 5 business days, times: 2, promises: [attempts, disposition]}}
  marketing:
    volume: {{mql_accepted: {volume}, per: {per}, ladder: commitments}}
    accepted_share: {{at_least: 60%, per: month, ladder: commitments}}
    completeness: {{fields: [contact.phone], at_least: 75%, per: week, ladder: commitments}}
    hand_off_latency: {{p95: 10 minutes, per: month, ladder: commitments}}
  operations:
    triage: {{parked_within: 1 business day, ladder: behind_the_scenes}}
ladders:
  response:
    - {{at: -30 minutes, tell: [rep]}}
    - {{at: 0 minutes, tell: [rep, manager]}}
    - {{at: 1 business hour, move: {{within: pool}}}}
    - {{at: 3 business hours, tell: [ops], page: true}}
    - {{repeat: 2 times, every: 2 hours}}
  gentle: [{{at: 0 minutes, tell: [rep]}}, {{at: 1 business day, tell: [manager]}}]
  behind_the_scenes: [{{at: 0 minutes, tell: [rep]}}]
  commitments: [{{at: -2 days, tell: [marketing_lead]}}, {{at: 0 minutes, tell: [marketing_lead]}}]
duty:
  ops: {{rota: [mia, max], turn: week, starts: 2027-01-04T09:00}}
  marketing_lead: {{always: mara}}
feedback:
  reject_reasons: [{{code: no_budget}}, {{code: duplicate}}]
"""
FIRST = {"version": 1, "effective_from": "2027-01-01T00:00:00+01:00", "within": "2 hours"}
SECOND = {"version": 2, "effective_from": "2027-07-15T00:00:00+02:00", "within": "4 hours"}
"""The second version comes into force in the middle of the year and of a month, and promises leads by the week."""
