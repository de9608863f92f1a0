-- The confirmation of a booking is put into the outbox with it, if its holder has an e-mail address.

CREATE FUNCTION has_mail_address(holder text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM users WHERE id = substring(holder FROM '^user:([0-9]{1,18})$')::bigint)
        OR EXISTS (SELECT FROM guests WHERE guests.holder = has_mail_address.holder)
$$;

CREATE FUNCTION enqueue_confirmations_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id, jsonb_build_object('cause', 'booked', 'booking_id', booking_id)
    FROM (
        SELECT DISTINCT booking_id, holder FROM tickets_after WHERE status = 'confirmed'
    ) AS booked
    WHERE has_mail_address(holder);
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_confirmation_of_new AFTER INSERT ON tickets REFERENCING NEW TABLE AS tickets_after
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_confirmations_of_new();

CREATE FUNCTION enqueue_confirmations_of_paid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (kind, subject, payload)
    SELECT 'mail', 'booking ' || booking_id, jsonb_build_object('cause', 'booked', 'booking_id', booking_id)
    FROM (
        SELECT DISTINCT after.booking_id, after.holder
        FROM tickets_after AS after JOIN tickets_before AS before USING (id, screening_id)
        WHERE before.status = 'pending' AND after.status = 'confirmed'
    ) AS booked
    WHERE has_mail_address(holder);
    RETURN NULL;
END
$$;
CREATE TRIGGER tickets_confirmation_of_paid AFTER UPDATE ON tickets
    REFERENCING OLD TABLE AS tickets_before NEW TABLE AS tickets_after
    FOR EACH STATEMENT EXECUTE FUNCTION enqueue_confirmations_of_paid();
