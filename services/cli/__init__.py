"""What operators type: `./baton`. Every command says what it did on stdout, what is wrong on stderr, and nothing else.

Hears: nothing
Says: nothing
Keeps: the keys file
"""
