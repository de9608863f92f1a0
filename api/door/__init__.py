"""Admission at the door: scans, batches of scanners that were offline, and who was admitted."""
