"""Prometheus metrics: updated through the observer ports, or read when they are scraped."""
