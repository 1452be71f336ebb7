"""Works out again, from the facts alone, how promises should have ended. None of this is used by the monitor, and it
uses none of the monitor's rules, so that a mistake in one shows as a difference from the other.
"""
