"""The routes: subscriptions with their deliveries, and the events to pull."""
