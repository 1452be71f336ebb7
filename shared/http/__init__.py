"""What every HTTP endpoint shares: keys and scopes, problem documents, answers, cursors, bounded fields."""
