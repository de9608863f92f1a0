// An event: choose quantities, name the buyer and a holder for each ticket, pay.

import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { EventClient } from '../../client/index.js';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { SERVER } from '../common/base';
import { formatDay, formatPrice, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Notice, ProblemNotice, Shown } from '../common/pieces';
import { user } from '../common/session';
import { Countdown } from './countdown';
import { Cover } from './cover';
import { customer, customerToken, rememberBuyer } from './customer';
import { useSending } from './form';
import { PayButtons } from './payment';
import { peopleOf, PersonFields } from './people';
import { salesRules } from './rules';
import { useTitle } from './title';

type EventDetails = components['schemas']['EventWithTickets'];
type TicketType = EventDetails['ticketTypes'][number];
type Reservation = components['schemas']['ReservationOfTickets'];

export function EventPage({ id }: { id: number }) {
  if (user.value === undefined) return null;
  return <Event key={user.value?.id ?? 'guest'} id={id} />;
}

function Event({ id }: { id: number }) {
  const path = { event_id: id };
  const event = useLoaded(async () => (await answered(api.GET('/api/public/events/{event_id}', { params: { path } }))).data, [id]);
  const reserved = useLoaded(async () => {
    const { data } = await answered(
      api.GET('/api/public/reservations', { params: { query: { limit: 100 } }, headers: await customer() }),
    );
    return data.filter((one) => one.ticketType.event.id === String(id));
  }, [id]);
  useTitle(event.data?.title ?? '');
  useEffect(() => {
    // Somebody bought or reserved: show what is left.
    const client = new EventClient(SERVER, customerToken);
    client.subscribe(id);
    client.addEventListener('counts', event.reload);
    client.open();
    return () => client.close();
  }, [id]);
  if (event.problem?.status === 404) {
    return (
      <>
        <h1>This event does not exist</h1>
        <p>
          It may be private. <Link href="/login">Log in</Link> if you are invited, or <Link href="/">see what is on</Link>.
        </p>
      </>
    );
  }
  return (
    <Shown loaded={event} name="Event">
      {(shown) => (
        <div class="narrow stack">
          <Cover title={shown.title} wide />
          <header class="stack stack-tight">
            <h1>{shown.title}</h1>
            <p class="lead">
              {formatDay(shown.startDate, shown.timeZone)}, {formatTime(shown.startDate, shown.timeZone)} · {shown.venue}
            </p>
            <p class="muted">{shown.description}</p>
          </header>
          <Shown loaded={reserved}>
            {(own) =>
              own.length > 0 ? (
                <Purchase reservations={own} ended={reserved.reload} />
              ) : (
                <Quantities event={shown} chosen={reserved.reload} />
              )
            }
          </Shown>
        </div>
      )}
    </Shown>
  );
}

function Quantities({ event, chosen }: { event: EventDetails; chosen: () => void }) {
  const [quantities, setQuantities] = useState<Record<string, number>>({});
  const sending = useSending();
  const orders = event.ticketTypes.flatMap(({ id }) => (quantities[id] ? [{ ticketTypeId: id, quantity: quantities[id] }] : []));
  const total = event.ticketTypes.reduce((sum, { id, price }) => sum + Math.round(price * 100) * (quantities[id] ?? 0), 0) / 100;
  if (event.ticketTypes.length === 0) return <p class="empty">There are no tickets for this event yet.</p>;
  const over = !event.ticketTypes.some((kind) => kind.onSale);
  const soldOut = event.ticketTypes.every((kind) => kind.available === 0);
  return (
    <form
      class="card stack"
      aria-labelledby="tickets"
      onSubmit={(submitted) => {
        submitted.preventDefault();
        void sending.run(async () => {
          await answered(api.POST('/api/public/reservations', { body: { reservations: orders }, headers: await customer() }));
          chosen();
        });
      }}
    >
      <h2 id="tickets">Tickets</h2>
      {over ? (
        <Notice>No tickets are on sale {Date.parse(event.startDate) < Date.now() ? 'any more' : 'at the moment'}.</Notice>
      ) : (
        soldOut && <Notice>All tickets are taken. Reserved ones may come back within minutes.</Notice>
      )}
      <ul class="order">
        {event.ticketTypes.map((kind) => (
          <li key={kind.id}>
            <span class="stack stack-tight">
              <b>{kind.name}</b>
              <span class="muted small">
                {formatPrice(kind.price)} · <Left kind={kind} />
              </span>
            </span>
            <Stepper
              name={kind.name}
              value={quantities[kind.id] ?? 0}
              most={kind.onSale ? Math.min(kind.maxPerOrder, kind.available) : 0}
              change={(quantity) => setQuantities({ ...quantities, [kind.id]: quantity })}
            />
          </li>
        ))}
        <li class="order-total">
          <span>Total</span>
          <span>{formatPrice(total)}</span>
        </li>
      </ul>
      {sending.problem && <ProblemNotice problem={sending.problem} />}
      <button type="submit" class="button button-wide" disabled={orders.length === 0} aria-disabled={sending.busy}>
        {sending.busy ? 'Reserving…' : 'Reserve'}
      </button>
    </form>
  );
}

function Left({ kind }: { kind: TicketType }) {
  if (!kind.onSale) return <>not on sale</>;
  if (kind.available === 0) return <>sold out</>;
  return <>{kind.available} left</>;
}

function Stepper({ name, value, most, change }: { name: string; value: number; most: number; change: (value: number) => void }) {
  return (
    <span class="stepper" role="group" aria-label={`Number of ${name} tickets`}>
      <button type="button" class="button button-quiet" aria-label={`One ${name} ticket less`} disabled={value === 0} onClick={() => change(value - 1)}>
        −
      </button>
      <output class="mono" aria-live="polite">
        {value}
      </output>
      <button type="button" class="button button-quiet" aria-label={`One ${name} ticket more`} disabled={value >= most} onClick={() => change(value + 1)}>
        +
      </button>
    </span>
  );
}

function Purchase({ reservations, ended }: { reservations: Reservation[]; ended: () => void }) {
  const rules = useLoaded(salesRules, []);
  const sending = useSending();
  const [, navigate] = useLocation();
  const first = reservations.reduce((earliest, { expiresAt }) => (expiresAt < earliest ? expiresAt : earliest), reservations[0]!.expiresAt);
  const tickets = reservations.flatMap(({ id, ticketType, quantity }) =>
    Array.from({ length: quantity }, (_, number) => ({ reservation: id, key: `${id}-${number}`, name: ticketType.name })),
  );
  const total = reservations.reduce((sum, { ticketType, quantity }) => sum + Math.round(ticketType.price * 100) * quantity, 0) / 100;
  const here = location.pathname.replace(/.*(\/events\/)/, '$1');

  async function buy(form: HTMLFormElement): Promise<void> {
    const { buyer, holders } = peopleOf(form, tickets.map(({ key }) => key));
    const headers = await customer();
    if (!user.value) {
      await answered(api.PUT('/api/public/guests/me', { body: { fullName: buyer.fullName, email: buyer.email }, headers }));
    }
    let booked = '';
    for (const { id } of reservations) {
      const ticketHolders = tickets.flatMap((ticket, index) => (ticket.reservation === id ? [holders[index]!] : []));
      const path = { reservation_id: id };
      const { data } = await answered(
        api.POST('/api/public/reservations/{reservation_id}/purchase', {
          params: { path },
          body: { buyerInfo: buyer, ticketHolders },
          headers,
        }),
      );
      booked = data.tickets[0]!.id;
    }
    if (!user.value) rememberBuyer(await customerToken());
    navigate(`/my-tickets?new=${booked}`);
  }

  return (
    <>
      <section class="card stack" aria-labelledby="order">
        <div class="row row-apart">
          <h2 id="order">Your tickets</h2>
          <Countdown until={first} over={ended} />
        </div>
        <ul class="order">
          {reservations.map(({ id, quantity, ticketType }) => (
            <li key={id}>
              <span>
                {quantity} × {ticketType.name}
              </span>
              <span>{formatPrice(quantity * ticketType.price)}</span>
            </li>
          ))}
          <li class="order-total">
            <span>Total</span>
            <span>{formatPrice(total)}</span>
          </li>
        </ul>
        <button
          type="button"
          class="button button-quiet"
          disabled={sending.busy}
          onClick={() =>
            void sending.run(async () => {
              for (const { id } of reservations) {
                await answered(
                  api.DELETE('/api/public/reservations/{reservation_id}', {
                    params: { path: { reservation_id: id } },
                    headers: await customer(),
                  }),
                );
              }
              ended();
            })
          }
        >
          Give the tickets back
        </button>
      </section>
      <Shown loaded={rules}>
        {(known) =>
          !user.value && !known.guestPurchase ? (
            <Notice>
              <span>Log in to buy. A guest's tickets cannot be taken along, so reserve them again then.</span>
              <Link href={`/login?next=${encodeURIComponent(here)}`} class="button">
                Log in
              </Link>
            </Notice>
          ) : (
            <form
              class="card stack"
              aria-label="Buyer, holders and payment"
              onSubmit={(submitted) => {
                submitted.preventDefault();
                const form = submitted.currentTarget;
                void sending.run(() => buy(form));
              }}
            >
              <PersonFields prefix="buyer" title="Buyer" />
              {tickets.map(({ key, name }, index) => (
                <PersonFields key={key} prefix={key} title={`Ticket ${index + 1}: ${name}`} sameAsBuyer />
              ))}
              {sending.problem && <Refused problem={sending.problem} />}
              <PayButtons amount={total} rules={known} busy={sending.busy} />
            </form>
          )
        }
      </Shown>
    </>
  );
}

function Refused({ problem }: { problem: NonNullable<ReturnType<typeof useSending>['problem']> }) {
  const fields = Object.entries(problem.errors);
  return (
    <>
      <ProblemNotice problem={problem} />
      {fields.length > 0 && (
        <ul class="field-errors">
          {fields.map(([name, messages]) => (
            <li key={name}>
              {name}: {messages.join(' ')}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
