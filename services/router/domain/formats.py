"""The formats of proofs: each says by which rules its verdict was made, so that it can be derived again."""

FORMAT = 5
"""The format of new proofs, which are made by the present rules."""
OLDEST_FORMAT = 2
"""The oldest format that holds all that its verdict rests on. Its rules differ: a rejected inquiry replaced a closed
lead, a test was judged as an inquiry of the person and could join their lead, points faded to the decision, people with
the same number were one person, balances of a rotation were not rounded, and leave, holds and closed time next to each
other were not one absence.
"""
WHOLE_PERSON = 4
"""The first format in which an inquiry is judged on the contact and company that all inquiries of the person gave, and
in which one that joins a lead can raise its score.
"""
LAST_WORD = 4
"""The first format of releases in which what sales reports about a lead that has ended counts: an acceptance after a
rejection opens it again, and its last end is its end.
"""
EARLY_WITHDRAWALS = 5
"""The first format in which consent that was withdrawn before the person's first inquiry counts."""
BOTH_LEADS_END = 5
"""The first format in which two leads of one person both end by what ends one, since the inquiry that shows it."""
LEAVE_WAITS = 4
"""The first format that says that the clock waits for an owner who is on leave."""
