"""The agreement in plain sentences, for people who sign it and do not program.

`explain` describes an agreement, `diff` the changes between two, `conditions` a single condition. The text contains no
secrets, because an agreement only names where they are stored.
"""
