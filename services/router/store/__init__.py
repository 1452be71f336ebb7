"""What the router keeps: leads and who owns them, whose turn it is, what each rep holds, and a record of all that it
heard and decided, in order.
"""
