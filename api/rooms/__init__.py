"""The sockets and pages of rooms, in which clients select seats and see others select."""
