"""Replays the router's record under an agreement: reads the record (`record_reader`), tracks the recorded outcomes
(`history`), decides again (`replay`), compares (`runner`, `summary`) and prints the result (`report`).
"""
