"""What changed in feedback, material and goals."""

from collections.abc import Iterator

from shared.agreement_text.diff.comparison import keyed, membership, reads
from shared.agreement_text.phrases import day, number, quoted, spaced
from shared.agreement_text.sentences import goal_in_words, reason_in_words
from shared.domain.agreement import Agreement
from shared.domain.content_and_goals import Content, Goal


def feedback(old: Agreement, new: Agreement) -> Iterator[str]:
    """Reasons to reject, and objections."""
    yield from keyed(
        old.reject_reasons,
        new.reject_reasons,
        lambda _, reason: f"sales may now also reject with: {reason_in_words(reason)}",
        lambda code, _: f"sales may no longer reject with: {spaced(code)}",
        lambda code, was, now: reads(f"rejecting with {quoted(spaced(code))}", was, now, reason_in_words),
    )
    yield from membership("the objections", old.objections, new.objections, spaced)


def material(old: Agreement, new: Agreement) -> Iterator[str]:
    """Material for buyers."""

    def stayed(_: str, was: Content, now: Content) -> Iterator[str]:
        what = quoted(was.title)
        yield from reads(f"the title of {what}", was.title, now.title, quoted)
        yield from reads(f"where {what} lies", was.url, now.url)
        yield from membership(f"what {what} answers", was.answers, now.answers, spaced)
        yield from reads(f"who keeps {what}", was.owner, now.owner)

    return keyed(
        {item.id: item for item in old.content},
        {item.id: item for item in new.content},
        lambda _, item: f"new: {quoted(item.title)}, kept by {item.owner}",
        lambda _, item: f"gone: {quoted(item.title)}",
        stayed,
    )


def goals(old: Agreement, new: Agreement) -> Iterator[str]:
    """Shared goals."""

    def stayed(name: str, was: Goal, now: Goal) -> Iterator[str]:
        yield from reads(f"what {quoted(name)} counts", was.kpi, now.kpi, spaced)
        yield from reads(f"the target of {quoted(name)}", was.target, now.target, number)
        yield from reads(f"the date of {quoted(name)}", was.by, now.by, day)
        yield from reads(f"where {quoted(name)} is celebrated", was.celebrate_in, now.celebrate_in, spaced, "nowhere")

    return keyed(
        {goal.name: goal for goal in old.goals},
        {goal.name: goal for goal in new.goals},
        lambda _, goal: f"new: {goal_in_words(goal).rstrip('.')}",
        lambda name, _: f"gone: {quoted(name)}",
        stayed,
    )
