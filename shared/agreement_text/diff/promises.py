"""What changed in promises, ladders, the duty rota and channels."""

from collections.abc import Iterator, Mapping

from shared.agreement_text.conditions import fact_in_words
from shared.agreement_text.diff.comparison import by_name, durations, keyed, membership, reads, titled
from shared.agreement_text.phrases import counted, length, listed, moment, quoted, seconds, spaced
from shared.agreement_text.sentences import (
    answers,
    channel_in_words,
    duty_in_words,
    promise_in_words,
    quiet_hours_in_words,
    segment_in_words,
    shift_in_words,
    silence_in_words,
    step_in_words,
    whose,
)
from shared.agreement_text.terms import clock, commitment, measure, role
from shared.domain.agreement import Agreement, Channel, Commitment, Ladder, Pause, Promise, Segment, Step
from shared.domain.duty import Duty


def sales(old: Agreement, new: Agreement) -> Iterator[str]:
    """What sales owes on single leads."""
    return _owed(old.promises, new.promises)


def operations(old: Agreement, new: Agreement) -> Iterator[str]:
    """What operations owes, and the time for a dispute."""
    yield from _owed(old.operations, new.operations)
    yield from durations("the time for marketing to dispute a rejection", old.dispute_within, new.dispute_within)


def marketing(old: Agreement, new: Agreement) -> Iterator[str]:
    """What marketing owes over a period."""
    return keyed(
        old.commitments,
        new.commitments,
        lambda _, owed: f"new, every {owed.per}: {commitment(owed)}",
        lambda name, _: f"the promise on {quoted(measure(name))} is gone",
        lambda name, was, now: titled("promise on", measure(name), _commitment(was, now)),
    )


def ladders(old: Agreement, new: Agreement) -> Iterator[str]:
    """Steps that came, went or do something else."""
    return keyed(
        old.ladders,
        new.ladders,
        lambda name, ladder: f"ladder {quoted(name)} is new, with {counted(len(ladder.steps), 'step')}",
        lambda name, _: f"ladder {quoted(name)} is gone",
        lambda name, was, now: titled("ladder", name, _ladder(was, now)),
    )


def duty(old: Agreement, new: Agreement) -> Iterator[str]:
    """Who is on duty, and overrides."""
    return keyed(
        old.duty,
        new.duty,
        lambda name, duty: f"new: {role(name)} is {duty_in_words(duty)}",
        lambda name, _: f"nobody is named as {role(name)} any more",
        lambda name, was, now: (f"{role(name)}: {news}" for news in _duty(was, now, new.timezone)),
    )


def silences(old: Agreement, new: Agreement) -> Iterator[str]:
    """When promises notify nobody."""
    before, after = ([silence_in_words(silence, new.timezone) for silence in each.silences] for each in (old, new))
    return membership("silences", before, after)


def quiet_hours(old: Agreement, new: Agreement) -> Iterator[str]:
    """When roles and people are not notified."""
    before, after = (
        quiet_hours_in_words(each.quiet_hours) if each.quiet_hours is not None else [] for each in (old, new)
    )
    return membership("quiet hours", before, after)


def channels(old: Agreement, new: Agreement) -> Iterator[str]:
    """The channels and their order; of settings only their names."""
    before, after = by_name(old.channels, _way), by_name(new.channels, _way)
    yield from keyed(
        before,
        after,
        lambda _, way: f"new: {whose(way.who)}: {channel_in_words(way)}",
        lambda _, way: f"gone: {whose(way.who)}: {channel_in_words(way)}",
        lambda name, was, now: (f"{name}: {news}" for news in _settings(was.settings, now.settings)),
    )
    both = {name: way for name, way in after.items() if name in before}
    for who in dict.fromkeys(way.who for way in new.channels):
        was, now = ([name for name in ways if name in both and both[name].who == who] for ways in (before, after))
        yield from reads(f"the order of the channels for {whose(who)}", was, now, listed)


def _owed(old: Mapping[str, Promise], new: Mapping[str, Promise]) -> Iterator[str]:
    return keyed(
        old,
        new,
        lambda _, promise: f"new: {promise_in_words(promise).rstrip('.')}",
        lambda name, _: f"{spaced(name)} is no longer promised",
        lambda name, was, now: (f"{spaced(name)}: {news}" for news in _promise(was, now)),
    )


def _promise(was: Promise, now: Promise) -> Iterator[str]:
    yield from reads("its name", was.name, now.name)
    yield from durations("the time", was.within, now.within)
    yield from _segments(was, now)
    yield from reads("the clock", was.clock, now.clock, clock)
    yield from membership("what keeps it", answers(was), answers(now))
    yield from reads(
        "whose activities count", was.by, now.by, lambda by: "the owner's" if by == "owner" else "anyone's"
    )
    yield from reads("how often that is needed", was.at_least, now.at_least, lambda often: counted(often, "time"))
    yield from reads("how long it may be paused", was.pause, now.pause, _pause, nothing="not at all")
    yield from reads("the ladder", was.ladder, now.ladder, quoted)
    yield from reads("the side that owes it", was.side, now.side)


def _segments(was: Promise, now: Promise) -> Iterator[str]:
    before, after = (dict(enumerate(promise.segments, 1)) for promise in (was, now))
    for number, segment in after.items():
        if number not in before:
            yield f"its segment {number} is new: {_segment(segment)}"
            continue
        one = before[number]
        if number > 1 or (one.within, segment.within) != (was.within, now.within):
            yield from durations(f"the time of segment {number}", one.within, segment.within)
        if (one.at_least_score, one.when) != (segment.at_least_score, segment.when):
            whom = segment_in_words(one), segment_in_words(segment)
            yield from reads(f"segment {number}", *whom, lambda words: f"for {words}", "for all others")
    for number, segment in before.items():
        if number not in after:
            yield f"its segment {number} is gone: {_segment(segment)}"


def _segment(segment: Segment) -> str:
    return f"within {length(segment.within)} for {segment_in_words(segment) or 'all others'}"


def _pause(pause: Pause) -> str:
    return f"{counted(pause.times, 'time')} {length(pause.at_most)} at most"


def _commitment(was: Commitment, now: Commitment) -> Iterator[str]:
    if (was.measure, was.target) != (now.measure, now.target):
        yield f"now {commitment(now)} (was {commitment(was)})"
    yield from membership("what has to be filled", was.fields, now.fields, fact_in_words)
    yield from reads("the period", was.per, now.per, spaced)
    yield from reads("the ladder", was.ladder, now.ladder, quoted)


def _ladder(was: Ladder, now: Ladder) -> Iterator[str]:
    yield from reads("its name", was.name, now.name)
    yield from keyed(
        by_name(was.steps, _when),
        by_name(now.steps, _when),
        lambda when, step: f"new step {when}: {_does(step)}",
        lambda when, step: f"the step {when} is gone: {_does(step)}",
        _step,
    )
    if _rounds(was) != _rounds(now):
        yield f"the last step is now repeated {_rounds(now)} (was {_rounds(was)})"


def _duty(was: Duty, now: Duty, zone: str) -> Iterator[str]:
    yield from reads("on duty", duty_in_words(was), duty_in_words(now))
    changed = {*was.shifts} ^ {*now.shifts}
    if changed and was.calendar == now.calendar:
        first = min(shift.starts_at for shift in changed)
        yield f"the calendar {now.calendar} has other shifts from {moment(first, zone)} on"
    before, after = ([shift_in_words(shift, zone) for shift in duty.overrides] for duty in (was, now))
    yield from membership("overrides", before, after)


def _rounds(ladder: Ladder) -> str:
    if not ladder.repeats:
        return "no more times"
    return f"{counted(ladder.repeats, 'more time')} every {seconds(ladder.repeat_every_s)}"


def _step(when: str, was: Step, now: Step) -> Iterator[str]:
    yield from membership(f"the step {when} tells", was.tell, now.tell, role)
    if was.page != now.page:
        yield f"the step {when} {'now' if now.page else 'no longer'} pages whoever is on call"
    if was.move_within != now.move_within:
        moves = f"now moves the lead within its {now.move_within}" if now.move_within else "no longer moves the lead"
        yield f"the step {when} {moves}"
    if was.if_unanswered != now.if_unanswered:
        comes = "comes even when" if now.if_unanswered else "no longer comes when"
        yield f"the step {when} {comes} someone has acknowledged it"


def _settings(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    names = tuple(was), tuple(now)
    yield from membership("settings", *names, spaced)
    for name in was:
        if name in now and was[name] != now[name]:
            yield f"the setting {quoted(spaced(name))} is another one"


def _way(channel: Channel) -> str:
    return f"{whose(channel.who)} by {channel.kind}"


def _when(step: Step) -> str:
    return step_in_words(step)[0]


def _does(step: Step) -> str:
    does = step_in_words(step)[1]
    return does[:1].lower() + does[1:]
