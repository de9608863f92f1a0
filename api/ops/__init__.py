"""Operations: live figures of servers and screenings, the event log, and sales by hand."""
