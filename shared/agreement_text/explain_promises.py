"""What each side promises, the ladders that a miss climbs, and how people are told, in sentences."""

from collections.abc import Iterator, Mapping

from shared.agreement_text.phrases import counted, listed, quoted, seconds, sentence, spaced
from shared.agreement_text.phrases import length as length_in_words
from shared.agreement_text.section import Section, Table
from shared.agreement_text.terms import activity, channel, commitment, role
from shared.agreement_text.terms import promise as promised
from shared.domain.agreement import Agreement, Channel, Duration, Ladder, Promise, Step


def promises(agreement: Agreement) -> Iterator[Section]:
    """The sections from promises to channels."""
    if agreement.promises:
        yield _owed("What sales promises on each lead", agreement.promises)
    if agreement.commitments:
        owed = tuple(
            f"Every {owed.per}, {commitment(owed)}. If not, the steps of {quoted(owed.ladder)} follow."
            for owed in agreement.commitments.values()
        )
        yield Section("What marketing promises", owed)
    if agreement.operations or agreement.dispute_within:
        yield _operations(agreement)
    for ladder in agreement.ladders.values():
        yield _ladder(ladder)
    if agreement.channels:
        yield Section("How people are told", tuple(channel_in_words(way) for way in agreement.channels))


def promise_in_words(promise: Promise) -> str:
    """What is owed and by when, in one sentence."""
    within = f"within {length_in_words(promise.within)}"
    if promise.at_least_score is not None:
        below = (
            f"; below that, within {length_in_words(promise.otherwise)}" if promise.otherwise else "; below that, none"
        )
        within = f"{within} for a score of at least {promise.at_least_score}{below}"
    met = listed(map(activity, promise.met_by), "or")
    needed = f", at least {counted(promise.at_least, 'time')}" if promise.at_least > 1 else ""
    clock = "" if promise.clock == "rep_calendar" else " by the wall clock"
    how = f" It is kept by {met}{needed}." if met else ""
    return f"{sentence(promised(promise.name))[:-1]}: {within}{clock}.{how} If missed, see {quoted(promise.ladder)}."


def step_in_words(step: Step) -> tuple[str, str]:
    """When a step comes, counted from the deadline, and what it does."""
    does = []
    if step.tell:
        does.append(f"tell {listed(map(role, step.tell))}")
    if step.page:
        does.append("page whoever is on call")
    if step.move_within:
        does.append(f"move the lead to another member of its {step.move_within}")
    even = ", even when someone has acknowledged it" if step.if_unanswered else ""
    return _when(step), sentence(listed(does) or "nothing")[:-1] + even


def channel_in_words(way: Channel) -> str:
    """How a role is told. Of settings, only where a secret lies is shown, never a value."""
    settings = [_setting(name, value) for name, value in way.settings.items()]
    more = f" ({'; '.join(settings)})" if settings else ""
    return sentence(f"{role(way.role)} {'are' if way.role == 'ops' else 'is'} told by {channel(way.kind)}{more}")


def _setting(name: str, value: str) -> str:
    kind, _, place = value.partition(":")
    what = spaced(name.removesuffix("_from"))
    if kind == "env":
        return f"its {what} stands in the environment as {place}"
    if kind == "file":
        return f"its {what} stands in the file {place}"
    return f"its {what} is set"


def _owed(title: str, owed: Mapping[str, Promise]) -> Section:
    return Section(title, tuple(promise_in_words(promise) for promise in owed.values()))


def _operations(agreement: Agreement) -> Section:
    section = _owed("What operations promises", agreement.operations)
    if agreement.dispute_within is None:
        return section
    dispute = f"Marketing may dispute a rejection within {length_in_words(agreement.dispute_within)}."
    return Section(section.title, (*section.sentences, dispute))


def _ladder(ladder: Ladder) -> Section:
    rows = [step_in_words(step) for step in ladder.steps]
    if ladder.repeats:
        rounds = counted(ladder.repeats, "more time")
        rows.append((f"then every {seconds(ladder.repeat_every_s)}", f"The last step again, {rounds}"))
    about = "Counted from the deadline; an acknowledgement stops what follows, unless it says otherwise."
    return Section(
        f"When a promise is missed: {quoted(ladder.name)}", (about,), Table(("When", "What happens"), tuple(rows))
    )


def _when(step: Step) -> str:
    if not (step.after_s or step.after_days):
        return "at the deadline"
    after = length_in_words(Duration(step.after_s, step.business or bool(step.after_days), days=step.after_days))
    early = step.after_s < 0 or step.after_days < 0
    return f"{after} {'before' if early else 'after'}"
