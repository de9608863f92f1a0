// Moving a ticket: another seat, another screening of the film, or another ticket type of the event.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { SERVER } from '../common/base';
import { CURRENCY, formatDay, formatPrice, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Notice, ProblemNotice, Shown } from '../common/pieces';
import { user } from '../common/session';
import type { FrontrowSeatsElement, SeatInfo } from '../seats/public';
import { newPaymentId } from './cart';
import { credentials } from './customer';
import { useSending } from './form';
import { salesRules, type Rules } from './rules';
import { ownBookings, type OwnTicket } from './tickets';
import { useTitle } from './title';

/** Where a ticket may go, as the request says it; with what it is called and costs. */
interface Target {
  body: { screening_id: number; seat_id: number } | { ticket_type_id: number };
  name: string;
  price: number;
}

/** What the customer can do about a refusal, by its code; other messages are those of the server. */
const WORDS: Readonly<Record<string, string>> = {
  moves_closed: 'The organiser does not let tickets be moved, or not any more. The box office may help.',
  seats_unavailable: 'Somebody else has this seat now. Please choose another one.',
  not_enough_tickets: 'These tickets are sold out now. Please choose others.',
  ticket_admitted: 'This ticket was used at the door, so it stays where it is.',
  price_changed: 'The price has changed meanwhile. Please look at it again and confirm once more.',
};

export function MovePage({ id }: { id: number }) {
  useTitle('Move a ticket');
  if (user.value === undefined) return null;
  return <Move key={user.value?.id ?? 'guest'} id={String(id)} />;
}

function Move({ id }: { id: string }) {
  const loaded = useLoaded(async () => {
    const [rules, bookings] = await Promise.all([salesRules(), ownBookings()]);
    return { rules, ticket: bookings.flatMap(({ tickets }) => tickets).find((one) => one.id === id) };
  }, [id]);
  return (
    <div class="stack">
      <p class="muted">
        <Link href="/my-tickets">My tickets</Link>
      </p>
      <h1>Move a ticket</h1>
      <Shown loaded={loaded}>
        {({ rules, ticket }) =>
          ticket?.status === 'confirmed' ? (
            <Choice ticket={ticket} rules={rules} />
          ) : (
            <Notice tone="bad">You have no such ticket that is valid, so there is nothing to move.</Notice>
          )
        }
      </Shown>
    </div>
  );
}

function Choice({ ticket, rules }: { ticket: OwnTicket; rules: Rules }) {
  const [target, setTarget] = useState<Target | null>(null);
  const choose = (chosen: Target | null): void => setTarget(chosen);
  return (
    <>
      <p>
        <b>{ticket.title}</b>, {ticket.place}, {formatPrice(ticket.price)}. You keep the ticket; only its place changes.
      </p>
      {ticket.eventId === null ? <Seats ticket={ticket} choose={choose} /> : <Types ticket={ticket} choose={choose} />}
      <Confirmation ticket={ticket} target={target} rules={rules} />
    </>
  );
}

/** The screenings of the film, and the hall of the one that is chosen. */
function Seats({ ticket, choose }: { ticket: OwnTicket; choose: (target: Target | null) => void }) {
  const [screening, setScreening] = useState(Number(ticket.screeningId));
  const showtimes = useLoaded(async () => {
    const path = { showtime_id: Number(ticket.screeningId) };
    const present = await answered(api.GET('/api/v1/showtimes/{showtime_id}', { params: { path } }));
    if (present.movie_id === null) return [present];
    const film = { movie_id: present.movie_id };
    const others = await answered(
      api.GET('/api/v1/movies/{movie_id}/showtimes', { params: { path: film, query: { size: 100 } } }),
    );
    return [present, ...others.filter((one) => one.id !== present.id && !one.sales_start && Date.parse(one.starts_at) > Date.now())];
  }, [ticket.id]);
  return (
    <Shown loaded={showtimes}>
      {(listed) => (
        <>
          {listed.length > 1 && (
            <div class="field">
              <label for="screening">Screening</label>
              <select
                id="screening"
                value={screening}
                onChange={({ currentTarget }) => {
                  choose(null);
                  setScreening(Number(currentTarget.value));
                }}
              >
                {listed.map((one) => (
                  <option key={one.id} value={one.id}>
                    {formatDay(one.starts_at, one.time_zone)}, {formatTime(one.starts_at, one.time_zone)} · {one.cinema_name}, {one.room_name}
                  </option>
                ))}
              </select>
            </div>
          )}
          <Hall
            key={screening}
            screening={screening}
            token={ticket.token}
            chosen={({ id, row, number, price }) => {
              const own = id === Number(ticket.seatId) && screening === Number(ticket.screeningId);
              const name = `Row ${row}, seat ${number}`;
              choose(own || price === null ? null : { body: { screening_id: screening, seat_id: id }, name, price });
            }}
          />
        </>
      )}
    </Shown>
  );
}

function Hall({ screening, token, chosen }: { screening: number; token: string; chosen: (seat: SeatInfo) => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element: FrontrowSeatsElement = document.createElement('frontrow-seats');
    element.server = SERVER;
    element.token = token;
    element.screening = screening;
    element.currency = CURRENCY;
    element.toggleAttribute('pick', true);
    element.addEventListener('pick', ({ detail }) => chosen(detail.seat));
    place.current?.append(element);
    return () => element.remove();
  }, [screening]);
  return <div ref={place} class="hall" />;
}

/** The other ticket types of the event. */
function Types({ ticket, choose }: { ticket: OwnTicket; choose: (target: Target) => void }) {
  const event = useLoaded(async () => {
    const path = { event_id: Number(ticket.eventId) };
    const { data } = await answered(
      api.GET('/api/public/events/{event_id}', { params: { path }, headers: credentials(ticket.token) }),
    );
    return data.ticketTypes.filter(({ id }) => id !== ticket.ticketTypeId);
  }, [ticket.id]);
  return (
    <Shown loaded={event}>
      {(types) =>
        types.length === 0 ? (
          <Notice>This event has no other tickets.</Notice>
        ) : (
          <fieldset class="stack">
            <legend>To which tickets?</legend>
            {types.map(({ id, name, price, available }) => (
              <label key={id} class="choice">
                <input
                  type="radio"
                  name="type"
                  disabled={available === 0}
                  onChange={() => choose({ body: { ticket_type_id: Number(id) }, name, price })}
                />
                {name}, {formatPrice(price)}
                {available === 0 && <small class="muted"> sold out</small>}
              </label>
            ))}
          </fieldset>
        )
      }
    </Shown>
  );
}

/** What the chosen place costs more or less, and the button. */
function Confirmation({ ticket, target, rules }: { ticket: OwnTicket; target: Target | null; rules: Rules }) {
  const sending = useSending();
  const [, navigate] = useLocation();
  const payment = useRef('');
  useEffect(() => {
    sending.clear();
    payment.current = newPaymentId();
  }, [target]);
  const more = target === null ? 0 : Math.round((target.price - ticket.price) * 100) / 100;
  const payable = more <= 0 || rules.testPayment;
  const move = async (): Promise<void> => {
    try {
      await answered(
        api.POST('/api/v1/tickets/{ticket_id}/move', {
          params: { path: { ticket_id: Number(ticket.id) } },
          body: { ...target!.body, payment_id: more > 0 ? payment.current : null, expected_total: Math.max(0, more) },
          headers: credentials(ticket.token),
        }),
      );
    } catch (problem) {
      // What was paid will be paid back, so the next attempt needs a payment of its own.
      if (problem instanceof Problem && problem.code === 'refund_required') payment.current = newPaymentId();
      throw problem;
    }
    navigate(`/my-tickets?moved=${ticket.id}`);
  };
  return (
    <div class="card stack move-confirmation">
      <div role="status" class="stack stack-tight">
        {target === null ? (
          <p>Choose where your ticket shall go.</p>
        ) : (
          <>
            <p>
              <b>{target.name}</b>, {formatPrice(target.price)}
            </p>
            <p>{inWords(more)}</p>
          </>
        )}
      </div>
      {sending.problem && <Refused problem={sending.problem} />}
      {target !== null && !payable && (
        <Notice>You cannot pay the difference here. The box office moves your ticket for you.</Notice>
      )}
      <div class="row">
        {payable && (
          <button
            type="button"
            class="button"
            aria-disabled={target === null || sending.busy}
            onClick={() => target !== null && void sending.run(move)}
          >
            {more > 0 ? `Pay ${formatPrice(more)} (test) and move` : 'Move the ticket'}
          </button>
        )}
        <Link href="/my-tickets" class="button button-quiet">
          Keep it where it is
        </Link>
      </div>
    </div>
  );
}

function inWords(more: number): string {
  if (more > 0) return `This costs ${formatPrice(more)} more.`;
  if (more < 0) return `This costs ${formatPrice(-more)} less. If it was paid, you get the difference back.`;
  return 'This costs the same.';
}

function Refused({ problem }: { problem: Problem }) {
  const reason = typeof problem.details.reason === 'string' ? problem.details.reason : problem.code;
  const words = WORDS[reason];
  return words ? <Notice tone="bad">{words}</Notice> : <ProblemNotice problem={problem} />;
}
