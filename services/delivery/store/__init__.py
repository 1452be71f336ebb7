"""What delivery keeps, by table; the only place of this service that speaks SQL."""
