"""What sales did about a lead, in words."""

DONE = {
    "call": "called",
    "email": "sent an e-mail",
    "meeting": "met the buyer",
    "accepted": "accepted the lead",
    "rejected": "rejected the lead",
    "declined": "asked to give the lead back",
    "disputed": "disputed the rejection",
    "objection": "recorded an objection",
    "content_used": "used a piece of content",
    "stage": "changed the stage",
    "opportunity": "opened an opportunity",
    "won": "won the deal",
    "lost": "lost the deal",
    "renewed": "renewed the customer",
    "churned": "lost the customer",
    "note": "left a note",
    "consent_withdrawn": "recorded that consent was withdrawn",
    "paused": "asked for a pause",
    "resumed": "ended the pause",
}
"""What the person in front of it did, by the kind of activity."""
