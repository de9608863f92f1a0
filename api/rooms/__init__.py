"""The rooms WebSocket, on which clients select seats and see each other's selections, and its HTTP pages."""
