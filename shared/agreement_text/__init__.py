"""The agreement in plain sentences, for those who sign it and have never programmed.

`explain` tells one agreement, `diff` what changed between two, `conditions` a single condition. Values go in, text
comes out; secrets never do, as an agreement only names where they lie.
"""
