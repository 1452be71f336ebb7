"""What the router does: with events (`events`), with what people ask of it (`commands`), and with parked leads when
time has passed (`parked`). Each decides in a transaction that holds the routing state (`transaction`).
"""
