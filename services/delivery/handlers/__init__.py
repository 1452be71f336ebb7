"""What delivery does with events: it stores them for subscribers (`events`), and notices for people (`notices`)."""
