"""What operators type: `./baton`. Every command says what it did on stdout, what is wrong on stderr, and nothing else.

Consumes: nothing
Publishes: nothing
Stores: the keys file
"""
