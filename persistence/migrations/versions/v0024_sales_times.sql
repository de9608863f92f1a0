-- When sales of screenings, events and ticket types open and close. Each branch has an index of its own.

CREATE INDEX screenings_sales_start_idx ON screenings (sales_start) WHERE sales_start IS NOT NULL;
CREATE INDEX screenings_sales_end_idx ON screenings (sales_end) WHERE sales_end IS NOT NULL;
CREATE INDEX events_sales_start_idx ON events (sales_start) WHERE sales_start IS NOT NULL;
CREATE INDEX events_sales_end_idx ON events (sales_end) WHERE sales_end IS NOT NULL;
CREATE INDEX ticket_types_sales_start_idx ON ticket_types (sales_start) WHERE sales_start IS NOT NULL;
CREATE INDEX ticket_types_sales_end_idx ON ticket_types (sales_end) WHERE sales_end IS NOT NULL;

CREATE VIEW sales_times (screening_id, at) AS
SELECT id, sales_start FROM screenings WHERE sales_start IS NOT NULL AND cancelled_at IS NULL
UNION ALL
SELECT id, sales_end FROM screenings WHERE sales_end IS NOT NULL AND cancelled_at IS NULL
UNION ALL
SELECT id, sales_start FROM events WHERE sales_start IS NOT NULL
UNION ALL
SELECT id, sales_end FROM events WHERE sales_end IS NOT NULL
UNION ALL
SELECT event_id, sales_start FROM ticket_types WHERE sales_start IS NOT NULL
UNION ALL
SELECT event_id, sales_end FROM ticket_types WHERE sales_end IS NOT NULL;
COMMENT ON VIEW sales_times IS
    'When sales of a screening or an event, or of a ticket type of it, open or close.';
