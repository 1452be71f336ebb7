"""Replays the router's record through an agreement, beside what was recorded: reads the record (`past`), follows it
(`recorded`), decides anew (`simulated`), compares (`running`) and shows what came of it (`showing`).
"""
