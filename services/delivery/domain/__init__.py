"""What delivery decides by itself: who hears what, how a message is signed, when it is sent again, where it may go."""
