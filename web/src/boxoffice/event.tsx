// An event: choose quantities, name the buyer and a holder for each ticket, pay.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { EventClient } from '../../client/index.js';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { PREFIX, SERVER } from '../common/base';
import { formatDay, formatPrice, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { FormProblem, Notice, ProblemNotice, Shown } from '../common/pieces';
import { user } from '../common/session';
import { Countdown, secondsUntil } from './countdown';
import { Cover } from './cover';
import { customer, customerToken, rememberBuyer } from './customer';
import { useDraft, useSending } from './form';
import { MovedNotice } from './news';
import { Opening } from './opening';
import { isOfPrice, PayButtons, PriceChanged } from './payment';
import { faultsOf, peopleOf, PersonFields } from './people';
import { salesRules } from './rules';
import { useTitle } from './title';
import { WaitingList, YourTurn } from './waiting';

type EventDetails = components['schemas']['EventWithTickets'];
type TicketType = EventDetails['ticketTypes'][number];
type Reservation = components['schemas']['ReservationOfTickets'];

interface EventProps {
  id: number;
  /** Whether this is the step after the tickets were reserved, which has an address of its own. */
  checkout: boolean;
}

export function EventPage(props: EventProps) {
  if (user.value === undefined) return null;
  return <Event key={user.value?.id ?? 'guest'} {...props} />;
}

function Event({ id, checkout }: EventProps) {
  const [, navigate] = useLocation();
  const [ended, setEnded] = useState(false);
  const [turn, setTurn] = useState(false);
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
    client.addEventListener('offered', () => {
      setTurn(true);
      reserved.reload();
    });
    client.addEventListener('sales', event.reload);
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
          <MovedNotice
            id={id}
            startsAt={shown.startDate}
            timeZone={shown.timeZone}
            kept="What you have reserved stays reserved at the same price."
          />
          <Shown loaded={reserved}>
            {(all) => {
              const own = all.filter(({ expiresAt }) => secondsUntil(expiresAt) > 0);
              const over = (): void => {
                setEnded(true);
                reserved.reload();
              };
              if (own.length === 0) {
                return (
                  <>
                    {(ended || checkout) && <NothingReserved ended={ended} />}
                    {checkout ? (
                      <Link href={`/events/${id}`} class="button">
                        Choose tickets
                      </Link>
                    ) : (
                      <>
                        <Quantities event={shown} reload={event.reload} chosen={() => navigate(`/events/${id}/checkout`)} />
                        <WaitingList event={id} kinds={shown.ticketTypes} />
                      </>
                    )}
                  </>
                );
              }
              return (
                <>
                  {turn && <YourTurn />}
                  <Reserved reservations={own} over={over} changed={reserved.reload} />
                  {checkout ? (
                    <Purchase id={id} reservations={own} changed={reserved.reload} />
                  ) : (
                    <Link href={`/events/${id}/checkout`} class="button">
                      Continue to checkout
                    </Link>
                  )}
                </>
              );
            }}
          </Shown>
        </div>
      )}
    </Shown>
  );
}

function NothingReserved({ ended }: { ended: boolean }) {
  return (
    <Notice>
      {ended
        ? 'The time to pay has ended, so your tickets are free for others again. You have not been charged. Choose again, if there are some left.'
        : 'You have no tickets reserved here. Their time may have ended, or you have bought them or given them back.'}
    </Notice>
  );
}

/** When the first tickets come on sale, if none are and some will be. */
function opening(event: EventDetails): string | undefined {
  const starts = event.ticketTypes.map((kind) => [event.salesStart, kind.salesStart].filter((start) => start !== null).sort().at(-1));
  return starts.filter((start) => start !== undefined && secondsUntil(start) > 0).sort()[0];
}

function Quantities({ event, reload, chosen }: { event: EventDetails; reload: () => void; chosen: () => void }) {
  const key = `frontrow.quantities${PREFIX} ${event.id}`;
  const [quantities, setQuantities] = useState(() => JSON.parse(sessionStorage.getItem(key) ?? '{}') as Record<string, number>);
  const sending = useSending();
  const orders = event.ticketTypes.flatMap(({ id }) => (quantities[id] ? [{ ticketTypeId: id, quantity: quantities[id] }] : []));
  const total = event.ticketTypes.reduce((sum, { id, price }) => sum + Math.round(price * 100) * (quantities[id] ?? 0), 0) / 100;
  if (event.ticketTypes.length === 0) return <p class="empty">There are no tickets for this event yet.</p>;
  const over = !event.ticketTypes.some((kind) => kind.onSale);
  const opens = opening(event);
  const soldOut = event.ticketTypes.every((kind) => kind.available === 0);
  return (
    <form
      class="card stack"
      aria-labelledby="tickets"
      onSubmit={(submitted) => {
        submitted.preventDefault();
        void sending.run(async () => {
          await answered(api.POST('/api/public/reservations', { body: { reservations: orders }, headers: await customer() }));
          sessionStorage.removeItem(key);
          chosen();
        });
      }}
    >
      <h2 id="tickets">Tickets</h2>
      {over && opens ? (
        <Opening key={opens} at={opens} timeZone={event.timeZone} opened={reload} />
      ) : over ? (
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
              change={(quantity) => {
                const now = { ...quantities, [kind.id]: quantity };
                sessionStorage.setItem(key, JSON.stringify(now));
                setQuantities(now);
              }}
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
      <button type="button" class="button button-quiet" aria-label={`One ${name} ticket less`} aria-disabled={value === 0} onClick={() => value > 0 && change(value - 1)}>
        −
      </button>
      <output class="mono" aria-live="polite">
        {value}
      </output>
      <button type="button" class="button button-quiet" aria-label={`One ${name} ticket more`} aria-disabled={value >= most} onClick={() => value < most && change(value + 1)}>
        +
      </button>
    </span>
  );
}

function priceOf(reservations: readonly Reservation[]): number {
  return reservations.reduce((sum, { totalPrice }) => sum + Math.round(totalPrice * 100), 0) / 100;
}

const MORE_MINUTES = 5;

/** What is reserved and for how long, and the way to give it back. */
function Reserved({ reservations, over, changed }: { reservations: Reservation[]; over: () => void; changed: () => void }) {
  const sending = useSending();
  const first = reservations.reduce((earliest, { expiresAt }) => (expiresAt < earliest ? expiresAt : earliest), reservations[0]!.expiresAt);

  async function extend(): Promise<void> {
    for (const { id } of reservations) {
      await answered(
        api.PATCH('/api/public/reservations/{reservation_id}', {
          params: { path: { reservation_id: id } },
          body: { additionalMinutes: MORE_MINUTES },
          headers: await customer(),
        }),
      );
    }
    changed();
  }

  async function giveBack(): Promise<void> {
    for (const { id } of reservations) {
      await answered(
        api.DELETE('/api/public/reservations/{reservation_id}', {
          params: { path: { reservation_id: id } },
          headers: await customer(),
        }),
      );
    }
    changed();
  }

  return (
    <section class="card stack" aria-labelledby="order">
      <div class="row row-apart">
        <h2 id="order">Your tickets</h2>
        <Countdown until={first} over={over} extend={extend} />
      </div>
      <ul class="order">
        {reservations.map(({ id, quantity, ticketType, totalPrice }) => (
          <li key={id}>
            <span>
              {quantity} × {ticketType.name}
            </span>
            <span>{formatPrice(totalPrice)}</span>
          </li>
        ))}
        <li class="order-total">
          <span>Total</span>
          <span>{formatPrice(priceOf(reservations))}</span>
        </li>
      </ul>
      {sending.problem && <ProblemNotice problem={sending.problem} />}
      <button type="button" class="button button-quiet" aria-disabled={sending.busy} onClick={() => void sending.run(giveBack)}>
        Give the tickets back
      </button>
    </section>
  );
}

function Purchase({ id, reservations, changed }: { id: number; reservations: Reservation[]; changed: () => void }) {
  const rules = useLoaded(salesRules, []);
  const sending = useSending();
  const [, navigate] = useLocation();
  const draft = useDraft(`event ${id}`);
  /** Whom the latest call has named as holders, for finding the field at fault. */
  const named = useRef<string[]>([]);
  const tickets = reservations.flatMap(({ id: reservation, ticketType, quantity }) =>
    Array.from({ length: quantity }, (_, number) => ({ reservation, key: `${reservation}-${number}`, name: ticketType.name })),
  );
  const account: Record<string, string | undefined> = {
    'buyer.fullName': user.value?.full_name,
    'buyer.email': user.value?.email,
    'buyer.whatsapp': user.value?.phone,
  };
  const known = (field: string): string | undefined => draft.text(field) ?? (account[field] || undefined);
  const faults = sending.problem ? faultsOf(sending.problem, named.current) : { fields: {}, elsewhere: [] };

  async function buy(form: HTMLFormElement): Promise<void> {
    const { buyer, holders } = peopleOf(form, tickets.map(({ key }) => key));
    const headers = await customer();
    if (!user.value) {
      await answered(api.PUT('/api/public/guests/me', { body: { fullName: buyer.fullName, email: buyer.email }, headers }));
    }
    let booked = '';
    for (const reservation of reservations) {
      const own = tickets.flatMap((ticket, index) => (ticket.reservation === reservation.id ? [{ ...ticket, holder: holders[index]! }] : []));
      named.current = own.map(({ key, holder }) => (holder === buyer ? 'buyer' : key));
      const { data } = await answered(
        api.POST('/api/public/reservations/{reservation_id}/purchase', {
          params: { path: { reservation_id: reservation.id } },
          body: { buyerInfo: buyer, ticketHolders: own.map(({ holder }) => holder), expectedTotal: reservation.totalPrice },
          headers,
        }),
      );
      booked = data.tickets[0]!.id;
    }
    if (!user.value) rememberBuyer(await customerToken());
    draft.drop();
    navigate(`/my-tickets?new=${booked}`, { replace: true });
  }

  return (
    <Shown loaded={rules}>
      {(allowed) =>
        !user.value && !allowed.guestPurchase ? (
          <Notice>
            <span>Log in to buy. A guest's tickets cannot be taken along, so reserve them again then.</span>
            <Link href={`/login?next=${encodeURIComponent(`/events/${id}`)}`} class="button">
              Log in
            </Link>
          </Notice>
        ) : (
          <form
            class="card stack"
            aria-label="Buyer, holders and payment"
            onInput={draft.keep}
            onSubmit={(submitted) => {
              submitted.preventDefault();
              const form = submitted.currentTarget;
              void sending.run(() => buy(form));
            }}
          >
            <PersonFields
              prefix="buyer"
              title="Buyer"
              errors={faults.fields}
              known={known}
            />
            {tickets.map(({ key, name }, index) => (
              <PersonFields key={key} prefix={key} title={`Ticket ${index + 1}: ${name}`} sameAsBuyer errors={faults.fields} known={known} />
            ))}
            {sending.problem &&
              (isOfPrice(sending.problem) ? (
                <PriceChanged problem={sending.problem} rules={allowed} reload={changed} />
              ) : (
                <FormProblem problem={sending.problem} elsewhere={faults.elsewhere} />
              ))}
            <PayButtons amount={priceOf(reservations)} rules={allowed} busy={sending.busy} />
          </form>
        )
      }
    </Shown>
  );
}
