"""Replays the router's record through an agreement, in addition to what was recorded: reads the record (`past`),
follows it (`recorded`), decides again (`simulated`), compares (`running`) and shows what came of it (`showing`).
"""
