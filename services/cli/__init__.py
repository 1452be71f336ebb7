"""The command line, `./baton`. Commands print results on stdout and errors on stderr.

Consumes: nothing
Publishes: nothing
Stores: the keys file
"""
