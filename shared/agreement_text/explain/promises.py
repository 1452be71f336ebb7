"""The promises of each side, the ladders, and the channels, in sentences."""

from collections.abc import Iterator, Mapping

from shared.agreement_text.phrases import counted, length, quoted, seconds, sentence
from shared.agreement_text.section import Section, Table
from shared.agreement_text.sentences import (
    channels_in_words,
    duty_in_words,
    promise_in_words,
    quiet_hours_in_words,
    shift_in_words,
    silence_in_words,
    step_in_words,
)
from shared.agreement_text.terms import commitment, role
from shared.domain.agreement import Agreement, Ladder, Promise


def sections(agreement: Agreement) -> Iterator[Section]:
    """The sections from promises to channels."""
    if agreement.promises:
        yield _owed("Promises of sales on each lead", agreement.promises)
    if agreement.commitments:
        owed = tuple(
            f"Every {owed.per}, {commitment(owed)}. If not, the steps of {quoted(owed.ladder)} follow."
            for owed in agreement.commitments.values()
        )
        yield Section("Commitments of marketing", owed)
    if agreement.operations or agreement.dispute_within:
        yield _operations(agreement)
    for ladder in agreement.ladders.values():
        yield _ladder(ladder)
    if agreement.duty:
        yield Section("Who is on duty", tuple(_duty(agreement)))
    if agreement.silences:
        silences = (silence_in_words(silence, agreement.timezone) for silence in agreement.silences)
        yield Section("When nobody is notified", tuple(map(sentence, silences)))
    if agreement.quiet_hours is not None:
        yield Section("Quiet hours", tuple(map(sentence, quiet_hours_in_words(agreement.quiet_hours))))
    if agreement.channels:
        yield Section("Channels", tuple(_channels(agreement)))


def _owed(title: str, owed: Mapping[str, Promise]) -> Section:
    return Section(title, tuple(promise_in_words(promise) for promise in owed.values()))


def _operations(agreement: Agreement) -> Section:
    section = _owed("Promises of operations", agreement.operations)
    if agreement.dispute_within is None:
        return section
    dispute = f"Marketing may dispute a rejection within {length(agreement.dispute_within)}."
    return Section(section.title, (*section.sentences, dispute))


def _duty(agreement: Agreement) -> Iterator[str]:
    for name, duty in agreement.duty.items():
        instead = [f"instead {shift_in_words(shift, agreement.timezone)}" for shift in duty.overrides]
        yield sentence(f"{role(name)}: {'; '.join([duty_in_words(duty), *instead])}")


def _channels(agreement: Agreement) -> Iterator[str]:
    for who in dict.fromkeys(channel.who for channel in agreement.channels):
        yield channels_in_words(who, [channel for channel in agreement.channels if channel.who == who])


def _ladder(ladder: Ladder) -> Section:
    rows = [step_in_words(step) for step in ladder.steps]
    if ladder.repeats:
        rounds = counted(ladder.repeats, "more time")
        rows.append((f"then every {seconds(ladder.repeat_every_s)}", f"The last step again, {rounds}"))
    about = "Counted from the deadline; an acknowledgement stops what follows, unless it says otherwise."
    return Section(
        f"When a promise is missed: {quoted(ladder.name)}", (about,), Table(("When", "What is due"), tuple(rows))
    )
