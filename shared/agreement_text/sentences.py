"""Sentences about one part of an agreement that `explain` and `diff` both need: a rule, a promise, a step, a goal."""

from collections.abc import Sequence

from shared.agreement_text.calendars import spans_in_words
from shared.agreement_text.conditions import fact_in_words, lead_in_words
from shared.agreement_text.phrases import (
    counted,
    day,
    length,
    listed,
    moment,
    number,
    quoted,
    seconds,
    sentence,
    spaced,
)
from shared.agreement_text.terms import ATTRIBUTES, ROLES, activity, channel, role
from shared.agreement_text.terms import promise as promised
from shared.domain.agreement import Channel, Duration, Only, Pause, Person, Promise, RejectReason, Route, Segment, Step
from shared.domain.content_and_goals import Goal
from shared.domain.duty import Duty, Shift
from shared.domain.silences import QuietHours, Silence


def route_in_words(route: Route) -> str:
    """A routing rule as a sentence, with its name."""
    return f"{quoted(route.name)}: {sentence(f'{lead_in_words(route.when)} goes to {destination(route)}')}"


def destination(route: Route) -> str:
    """Where a rule sends a lead, as the end of a sentence."""
    if route.owner is not None:
        who = {
            "account": "the owner of its company, if there is one",
            "lead": "its previous owner, if there was one",
        }.get(route.owner, route.owner)
        away = f" and is not away for longer than {length(route.unless_away_for)}" if route.unless_away_for else ""
        return who + away
    return f"the pool {route.pool}" + "".join(f", only to {only_in_words(only)}" for only in route.only)


def only_in_words(only: Only) -> str:
    """Which members a rule narrows its pool to."""
    what = ATTRIBUTES.get(only.attribute, spaced(only.attribute))
    if only.field is not None:
        return f"members whose {what} is what {fact_in_words(only.field)} says"
    return f"members with the {what} {listed(map(quoted, only.values), 'or')}"


def limits(person: Person) -> str:
    """The maximum number of leads of a person."""
    held = f"at most {person.max_open:,} open" if person.max_open is not None else ""
    new = f"at most {person.max_new_per_day:,} new a day" if person.max_new_per_day is not None else ""
    return ", ".join(filter(None, (held, new))) or "none"


def promise_in_words(promise: Promise) -> str:
    """A promise in one sentence."""
    within = segments_in_words(promise)
    met = listed(answers(promise), "or")
    whose = " by the owner of the lead" if promise.by == "owner" else ""
    often = f", at least {counted(promise.at_least, 'time')} or until the buyer is reached"
    needed = often if promise.at_least > 1 else ""
    clock = "" if promise.clock == "rep_calendar" else " by the wall clock"
    how = f" It is kept by {met}{whose}{needed}." if met else ""
    waits = f" {sentence(pause_in_words(promise.pause))}" if promise.pause is not None else ""
    missed = f" If missed, see {quoted(promise.ladder)}."
    return f"{sentence(promised(promise.name))[:-1]}: {within}{clock}.{how}{waits}{missed}"


def segments_in_words(promise: Promise) -> str:
    """How soon a promise is to be kept, for which leads."""
    if not promise.segments:
        return f"within {length(promise.within)}"
    parts = []
    for segment in promise.segments:
        whom = segment_in_words(segment)
        parts.append(f"within {length(segment.within)}" + (f" for {whom}" if whom else " for all others"))
    last = promise.segments[-1]
    if last.when is not None or last.at_least_score is not None:
        parts.append("for others there is none")
    return "; ".join(parts)


def segment_in_words(segment: Segment) -> str:
    """Which leads are in a segment; empty if all are."""
    score = f"a score of at least {segment.at_least_score}" if segment.at_least_score is not None else ""
    if segment.when is None:
        return score
    lead = lead_in_words(segment.when)
    return f"{lead}, with {score}" if score else lead


def pause_in_words(pause: Pause) -> str:
    """For how long the clock may stand still."""
    often = counted(pause.times, "pause")
    return f"its clock may stand still for {often} of {length(pause.at_most)} at most"


def answers(promise: Promise) -> list[str]:
    """What keeps a promise: each kind of activity, with its outcomes if only some count."""
    return [
        f"{activity(kind)} ({listed(map(spaced, promise.outcomes[kind]), 'or')})"
        if kind in promise.outcomes
        else activity(kind)
        for kind in promise.met_by
    ]


def step_in_words(step: Step) -> tuple[str, str]:
    """When a step comes, counted from the deadline, and what is due then."""
    does = []
    if step.tell:
        does.append(f"a notification to {listed(map(role, step.tell))}")
    if step.page:
        does.append("a page to the person on call")
    if step.move_within:
        does.append(f"a move to another member of the lead's {step.move_within}")
    even = ", even if it is acknowledged" if step.if_unanswered else ""
    return _when(step), sentence(listed(does) or "nothing")[:-1] + even


def channel_in_words(way: Channel) -> str:
    """A channel with its settings, without whose it is. Shows where a secret is stored, never its value."""
    settings = [_setting(name, value) for name, value in way.settings.items()]
    more = f" ({'; '.join(settings)})" if settings else ""
    return channel(way.kind) + more


def channels_in_words(who: str, ways: Sequence[Channel]) -> str:
    """All channels of a role or person, in the order in which they are tried."""
    return sentence(f"{whose(who)}: {', or if that fails, '.join(map(channel_in_words, ways))}")


def whose(who: str) -> str:
    """A role in words, or a person's id as it is."""
    return role(who) if who in ROLES else who


def duty_in_words(duty: Duty) -> str:
    """Who is on duty, as the end of a sentence, without the overrides."""
    if duty.rota is not None:
        rota, taken = duty.rota, listed(duty.rota.people)
        starts = f"{day(rota.starts.date())} at {rota.starts:%H:%M} ({rota.zone})"
        return f"{taken}, in turns of {seconds(rota.turn_s)} from {starts} on"
    if duty.calendar is not None:
        return f"those whom the calendar {duty.calendar} names ({counted(len(duty.shifts), 'shift')})"
    return f"always {duty.always}"


def shift_in_words(shift: Shift, zone: str) -> str:
    """A person with the time that they are on duty."""
    return f"{shift.person} from {moment(shift.starts_at, zone)} until {moment(shift.ends_at, zone)}"


def quiet_hours_in_words(quiet: QuietHours) -> list[str]:
    """When each role and person is not notified, and what about pages."""
    pages = "pages are sent all the same" if quiet.except_page else "pages wait as well"
    return [*(f"{whose(who)}: not {spans_in_words(spans)}" for who, spans in quiet.hours.items()), pages]


def silence_in_words(silence: Silence, zone: str) -> str:
    """When a silence is, for what, and why."""
    matches = [
        quoted(promised(silence.promise)) if silence.promise else "",
        f"of {silence.owner}" if silence.owner else "",
        f"in the pool {silence.pool}" if silence.pool else "",
        f"of the side {silence.side}" if silence.side else "",
    ]
    what = " ".join(["promises", *filter(None, matches)]) if any(matches) else "all promises"
    when = f"from {moment(silence.starts_at, zone)} until {moment(silence.ends_at, zone)}"
    return f"{when}: {what} ({silence.reason})"


def reason_in_words(reason: RejectReason) -> str:
    """A reason to reject, with what it asks for."""
    asks = ["with a sentence"] if reason.needs_text else []
    if reason.only_after:
        asks.append(f"only once the promised {spaced(reason.only_after)} were made")
    return spaced(reason.code) + (f" ({', '.join(asks)})" if asks else "")


def goal_in_words(goal: Goal) -> str:
    """A goal, its figure and its date."""
    feast = f" It is celebrated in {spaced(goal.celebrate_in)}." if goal.celebrate_in else ""
    return f"{goal.name}: {spaced(goal.kpi)} of {number(goal.target)} by {day(goal.by)}.{feast}"


def _when(step: Step) -> str:
    if not (step.after_s or step.after_days):
        return "at the deadline"
    after = length(Duration(step.after_s, step.business or bool(step.after_days), days=step.after_days))
    early = step.after_s < 0 or step.after_days < 0
    return f"{after} {'before' if early else 'after'}"


def _setting(name: str, value: str) -> str:
    kind, _, place = value.partition(":")
    what = spaced(name.removesuffix("_from"))
    if kind == "env":
        return f"its {what} is in the environment variable {place}"
    if kind == "file":
        return f"its {what} is in the file {place}"
    return f"its {what} is set"
