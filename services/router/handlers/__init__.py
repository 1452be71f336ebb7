"""What the router does: with what it hears (`hearing`), with what people tell it (`orders`), and when time has passed
(`waiting`); each sits at the one desk (`sitting`) while it decides.
"""
