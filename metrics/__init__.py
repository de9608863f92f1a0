"""Prometheus metrics: fed through the observer ports, gathered where they arise, written when scraped."""
