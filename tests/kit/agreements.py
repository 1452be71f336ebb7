"""Agreements that tests run under."""

from shared import agreement_file
from shared.domain.agreement import Agreement

TEXT = """\
agreement: test
version: 1
effective_from: 2026-01-01T00:00:00+01:00
approved_by:
  marketing: {{name: Mara, on: 2026-01-01}}
  sales: {{name: Sal, on: 2026-01-01}}
timezone: Europe/Brussels
currency: EUR

calendars:
  always: {{hours: {{mon-sun: [00:00-24:00]}}}}

definitions:
  mql:
    minimum_data: [contact.email]
    consent: {{basis: [opt_in]}}
    exclude:
      - {{reason: student, when: {{field: contact.seniority, op: is, value: student}}}}
    score: {{at_least: {score}}}

scoring:
  - {{add: 40, reason: asked for a demo, when: {{field: inquiry.kind, op: is, value: demo_request}}}}
  - {{add: 25, reason: decision maker, when: {{field: contact.seniority, op: in, value: [director, vp]}}}}

people:
  - {{id: ann, email: ann@acme.example, calendar: always, reports_to: mia}}
  - {{id: bob, email: bob@acme.example, calendar: always, reports_to: mia}}
  - {{id: cleo, email: cleo@acme.example, calendar: always, reports_to: mia}}
  - {{id: mia, email: mia@acme.example, role: manager}}

pools:
  benelux: {{members: {{ann: 2, bob: 1}}, strategy: weighted_turns}}
  alone: {{members: {{cleo: 1}}, strategy: weighted_turns}}

routing:
  - {{name: large, when: {{field: company.employees, op: ">=", value: 1000}}, to: {{pool: alone}}}}
  - {{name: everyone else, to: {{pool: benelux}}}}

promises:
  sales:
    first_response: {{within: {within}, clock: rep_calendar, from: assigned, met_by: [call, email, meeting], ladder: response}}

ladders:
  response:
    - {{at: -{warn}, tell: [rep]}}
    - {{at: 0 seconds, tell: [rep, manager]}}
    - {{at: {move}, move: {{within: pool}}}}
    - {{at: {page}, tell: [ops], page: true, if: unanswered}}

feedback:
  reject_reasons:
    - {{code: no_budget}}
    - {{code: other, needs: text}}
"""


def agreement_text(
    *,
    within: str = "15 minutes",
    warn: str = "5 minutes",
    move: str = "15 minutes",
    page: str = "60 minutes",
    score: int = 0,
) -> str:
    """The text of a small agreement: two pools, one promise, one ladder."""
    return TEXT.format(within=within, warn=warn, move=move, page=page, score=score)


def agreement(**changes: str | int) -> Agreement:
    """The same as a value."""
    return agreement_file.parse(agreement_text(**changes), "test.yaml").agreement  # type: ignore[arg-type]
