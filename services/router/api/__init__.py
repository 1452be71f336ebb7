"""The router's doors: what became of leads (`reading`), why (`proving`), and what people tell it (`ordering`)."""
