// From reserved seats to tickets: who buys, and the payment.

import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { formatDay, formatPrice, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Field, FormProblem, Notice, Shown } from '../common/pieces';
import { user } from '../common/session';
import { extendSeats, forgetCart, heldSeats, keepCart, keptCart, moveToUser, releaseSeats, type HeldSeat, type Moved } from './cart';
import { Countdown, secondsUntil } from './countdown';
import { customer, customerToken, rememberBuyer } from './customer';
import { fieldOf, useDraft, useSending } from './form';
import { MovedNotice, useScreeningNews } from './news';
import { Charged, isOfPrice, PayButtons, PriceChanged } from './payment';
import { salesRules, type Rules } from './rules';
import { useTitle } from './title';

export function CheckoutPage({ id }: { id: number }) {
  useTitle('Checkout');
  if (user.value === undefined) return null;
  return <Checkout key={user.value?.id ?? 'guest'} id={id} />;
}

function Checkout({ id }: { id: number }) {
  const [moved, setMoved] = useState<Moved>('none');
  const [ended, setEnded] = useState(false);
  const [refused, setRefused] = useState<Problem | null>(null);
  const screening = useLoaded(
    () => answered(api.GET('/api/v1/screenings/{screening_id}', { params: { path: { screening_id: id } } })),
    [id],
  );
  const sale = useLoaded(async () => {
    if (user.value) {
      const now = await moveToUser(id);
      if (now !== 'none') setMoved(now);
    }
    const [seats, rules] = await Promise.all([heldSeats(id), salesRules()]);
    if (seats.length > 0) keepCart(id, seats);
    return { seats, rules };
  }, [id]);
  const [cancelled, setCancelled] = useState(false);
  useScreeningNews(id, { altered: screening.reload, cancelled: () => setCancelled(true) });
  const gone = cancelled || Boolean(screening.data?.cancelled_at) || screening.problem?.status === 404;
  return (
    <div class="narrow stack">
      <header class="stack stack-tight">
        <p class="muted">
          <Link href={`/screenings/${id}`}>Back to the hall</Link>
        </p>
        <h1>Checkout</h1>
        {screening.data && (
          <p class="lead">
            {screening.data.title} · {formatDay(screening.data.starts_at, screening.data.time_zone)},{' '}
            {formatTime(screening.data.starts_at, screening.data.time_zone)}
          </p>
        )}
      </header>
      {screening.data && !gone && (
        <MovedNotice
          id={id}
          startsAt={screening.data.starts_at}
          timeZone={screening.data.time_zone}
          kept="Your seats stay reserved at the same price. If the new time does not suit you, give them back; that costs nothing."
        />
      )}
      {moved === 'shorter' && (
        <Notice>Your seats are now reserved for your account. There is less time to pay than before you logged in; see below.</Notice>
      )}
      {moved === 'lost' && <Notice tone="bad">Somebody else has taken one of your seats in the meantime. Please choose again.</Notice>}
      {gone ? (
        <Notice tone="bad">
          <span>
            The venue has cancelled this screening, so your seats are no longer reserved.{' '}
            {refused && sale.data ? <Charged problem={refused} rules={sale.data.rules} /> : 'You have not been charged.'} If you
            have bought tickets for it, what you paid is paid back.
          </span>
          <Link href="/">See what is on</Link>
          <Link href="/my-tickets">My tickets</Link>
        </Notice>
      ) : (
      <Shown loaded={sale}>
        {({ seats, rules }) =>
          seats.every(({ expiresAt }) => secondsUntil(expiresAt) <= 0) ? (
            <Notice>
              <span>
                {ended
                  ? 'The time to pay has ended, so your seats are free for others again. You have not been charged. Choose them again, if nobody was faster.'
                  : 'You have no seats reserved here. Their time may have ended, or you have bought them or given them back in another window.'}
              </span>
              {refused && (
                <span>
                  <Charged problem={refused} rules={rules} />
                </span>
              )}
              <Link href={`/screenings/${id}`} class="button">
                Choose seats
              </Link>
              <Link href="/my-tickets">My tickets</Link>
            </Notice>
          ) : (
            <Order
              id={id}
              seats={seats}
              rules={rules}
              changed={sale.reload}
              refused={setRefused}
              over={() => {
                setEnded(true);
                sale.reload();
              }}
            />
          )
        }
      </Shown>
      )}
    </div>
  );
}

interface OrderProps {
  id: number;
  seats: HeldSeat[];
  rules: Rules;
  changed: () => void;
  /** A payment was refused, although the seats may be gone. */
  refused: (problem: Problem) => void;
  /** No time is left. */
  over: () => void;
}

function Order({ id, seats, rules, changed, refused, over }: OrderProps) {
  const total = seats.reduce((sum, { price }) => sum + Math.round((price ?? 0) * 100), 0) / 100;
  const first = seats.reduce((earliest, { expiresAt }) => (expiresAt < earliest ? expiresAt : earliest), seats[0]!.expiresAt);
  const sending = useSending();
  const [, navigate] = useLocation();
  const here = `/screenings/${id}/checkout`;
  const draft = useDraft('checkout');

  async function buy(form: HTMLFormElement): Promise<void> {
    const headers = await customer();
    if (!user.value) {
      const body = { fullName: fieldOf(form, 'fullName'), email: fieldOf(form, 'email') };
      await answered(api.PUT('/api/public/guests/me', { body, headers }));
    }
    const seat_ids = seats.map((seat) => seat.id);
    const payment_id = keptCart(id)!.paymentId;
    const expected_total = seats.some(({ price }) => price === null) ? null : total;
    const order = { screening_id: id, seat_ids, payment_id, expected_total };
    const tickets = rules.testPayment
      ? await answered(api.POST('/api/v1/tickets/book-from-reservation', { body: order, headers }))
      : await answered(api.POST('/api/v1/tickets/book', { body: { ...order, payment_pending: true }, headers }));
    if (!user.value) rememberBuyer(await customerToken());
    forgetCart(id);
    draft.drop();
    navigate(`/my-tickets?new=${tickets[0]!.booking_id}`, { replace: true });
  }

  if (!user.value && !rules.guestPurchase) return <LogInFirst next={here} />;
  return (
    <>
      <section class="card stack" aria-labelledby="order">
        <div class="row row-apart">
          <h2 id="order">Your seats</h2>
          <Countdown
            until={first}
            over={over}
            extend={async () => {
              await extendSeats(id, seats.map((seat) => seat.id));
              changed();
            }}
          />
        </div>
        <ul class="order">
          {seats.map((seat) => (
            <li key={seat.id}>
              <span>
                Row {seat.row}, seat {seat.number}
                {seat.type !== 'standard' && <span class="badge"> {seat.type}</span>}
              </span>
              <span>{seat.price === null ? '' : formatPrice(seat.price)}</span>
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
          aria-disabled={sending.busy}
          onClick={() =>
            void sending.run(async () => {
              await releaseSeats(id);
              forgetCart(id);
              navigate(`/screenings/${id}`, { replace: true });
            })
          }
        >
          Give the seats back
        </button>
      </section>
      <form
        class="card stack"
        aria-label="Payment"
        onInput={draft.keep}
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          void sending.run(() => buy(form));
        }}
      >
        {user.value ? (
          <p>
            Tickets go to <b>{user.value.email}</b>.
          </p>
        ) : (
          <>
            <div class="row row-apart">
              <h2>Who are you?</h2>
              <Link href={`/login?next=${encodeURIComponent(here)}`}>Log in instead</Link>
            </div>
            <Field
              label="Name"
              name="fullName"
              autocomplete="name"
              required
              maxLength={200}
              defaultValue={draft.text('fullName')}
              errors={sending.errors('fullName')}
            />
            <Field
              label="E-mail"
              name="email"
              type="email"
              autocomplete="email"
              required
              maxLength={254}
              hint="Your tickets are sent there."
              defaultValue={draft.text('email')}
              errors={sending.errors('email')}
            />
          </>
        )}
        {sending.problem && <Failed problem={sending.problem} id={id} rules={rules} changed={changed} refused={refused} />}
        <PayButtons amount={total} rules={rules} busy={sending.busy} />
      </form>
    </>
  );
}

function LogInFirst({ next }: { next: string }) {
  const query = `?next=${encodeURIComponent(next)}`;
  return (
    <div class="card stack">
      <h2>Log in to buy</h2>
      <p>Your seats stay reserved while you log in.</p>
      <div class="row">
        <Link href={`/login${query}`} class="button">
          Log in
        </Link>
        <Link href={`/register${query}`} class="button button-quiet">
          Register
        </Link>
      </div>
    </div>
  );
}

/** Refusals after which the seats that the page shows are not those that the customer has. */
const OUT_OF_DATE = new Set(['refund_required', 'not_held']);

interface FailedProps {
  problem: Problem;
  id: number;
  rules: Rules;
  changed: () => void;
  refused: (problem: Problem) => void;
}

function Failed({ problem, id, rules, changed, refused }: FailedProps) {
  const reload = (): void => {
    forgetCart(id);
    changed();
  };
  useEffect(() => {
    if (problem.code === 'refund_required') refused(problem);
    if (OUT_OF_DATE.has(problem.code) && !isOfPrice(problem)) reload();
  }, [problem]);
  if (isOfPrice(problem)) return <PriceChanged problem={problem} rules={rules} reload={reload} />;
  switch (problem.code) {
    case 'refund_required':
    case 'not_held':
      return (
        <Notice tone="bad">
          <span>
            Your reservation had changed before the payment. <Charged problem={problem} rules={rules} /> What is reserved for you
            now is above.
          </span>
          <Link href={`/screenings/${id}`}>Choose other seats</Link>
        </Notice>
      );
    case 'seats_unavailable':
      return (
        <Notice tone="bad">
          <span>One of these seats has been taken in the meantime. You have not been charged.</span>
          <Link href={`/screenings/${id}`}>Choose other seats</Link>
        </Notice>
      );
    case 'screening_started':
      return <Notice tone="bad">The screening has begun, so the sale has ended. You have not been charged.</Notice>;
    default:
      return <FormProblem problem={problem} />;
  }
}
