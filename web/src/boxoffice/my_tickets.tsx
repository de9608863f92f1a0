// My tickets: QR codes, calendar entries, cancelling; and a way back to tickets bought elsewhere.

import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation, useSearch } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { formatDay, formatPrice, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Dialog, Field, Notice, ProblemNotice, Shown } from '../common/pieces';
import { user } from '../common/session';
import { acceptLink, credentials, fetchFile } from './customer';
import { fieldOf, useSending } from './form';
import { Refunds } from './refunds';
import { Giving } from './giving';
import { isUpcoming, ownBookings, ownRefunds, type Booking, type OwnTicket } from './tickets';
import { salesRules } from './rules';
import { useTitle } from './title';

const STATUS = { confirmed: 'Valid', pending: 'Not paid yet', cancelled: 'Cancelled', lapsed: 'Not paid in time' } as const;
const TONE = { confirmed: 'good', pending: 'warn', cancelled: 'bad', lapsed: 'bad' } as const;

export function MyTicketsPage() {
  useTitle('My tickets');
  if (user.value === undefined) return null;
  return <MyTickets key={user.value?.id ?? 'guest'} />;
}

function MyTickets() {
  const asked = new URLSearchParams(useSearch());
  const [fresh, moved] = [asked.get('new'), asked.get('moved')];
  const [, navigate] = useLocation();
  const [badLink, setBadLink] = useState(false);
  const [happened, setHappened] = useState(moved ? 'Your ticket is moved. Its QR code is a new one.' : '');
  const bookings = useLoaded(async () => {
    const link = /^#guest=(.+)$/.exec(location.hash)?.[1];
    if (link) {
      // The token must not stay in the address, where others could see or copy it.
      navigate('/my-tickets', { replace: true });
      await acceptLink(link).catch((problem: unknown) => {
        if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
        setBadLink(true);
      });
    }
    const [{ mailsSent }, listed, refunds] = await Promise.all([salesRules(), ownBookings(), ownRefunds()]);
    return { mailsSent, listed, refunds };
  }, []);
  const changed = (told: string): void => {
    setHappened(told);
    bookings.reload();
    scrollTo(0, 0);
  };
  return (
    <div class="narrow stack">
      <h1>My tickets</h1>
      {happened && <Notice tone="good">{happened}</Notice>}
      {badLink && <Notice tone="bad">This link has expired. Request a new one below.</Notice>}
      <Shown loaded={bookings}>
        {({ mailsSent, listed, refunds }) => {
          const upcoming = listed.filter((one) => isUpcoming(one));
          const past = listed.filter((one) => !isUpcoming(one));
          return (
            <>
              {fresh && upcoming.some(({ id }) => id === fresh) && (
                <Notice tone="good">
                  {listed.find(({ id }) => id === fresh)!.tickets[0]!.status === 'pending'
                    ? 'Your seats are booked. Please pay in time.'
                    : mailsSent
                      ? 'Thank you. Your tickets are booked, and on their way by mail.'
                      : 'Thank you. Your tickets are booked. This server sends no mail: it writes mails to files, ' +
                        'in the folder “mail” of its data directory (.frontrow/mail, if nothing else is set).'}
                </Notice>
              )}
              {listed.length === 0 && (
                <p class="empty">
                  You have no tickets yet. <Link href="/">See what is on</Link>
                </p>
              )}
              {upcoming.map((booking) => (
                <BookingCard key={booking.id} booking={booking} changed={changed} />
              ))}
              <Refunds refunds={refunds} />
              {past.length > 0 && (
                <details class="stack">
                  <summary>Earlier and cancelled ({past.length})</summary>
                  {past.map((booking) => (
                    <BookingCard key={booking.id} booking={booking} changed={changed} />
                  ))}
                </details>
              )}
            </>
          );
        }}
      </Shown>
      <FindTickets />
    </div>
  );
}

function BookingCard({ booking, changed }: { booking: Booking; changed: (told: string) => void }) {
  const first = booking.tickets[0]!;
  const valid = booking.tickets.filter(({ status }) => status === 'confirmed');
  const sending = useSending();
  const [resent, setResent] = useState(false);
  const upcoming = isUpcoming(booking);
  return (
    <article class="card stack booking" aria-labelledby={`booking-${booking.id}`}>
      <header class="stack stack-tight">
        <h2 id={`booking-${booking.id}`}>{first.title || 'Your visit'}</h2>
        <p>
          {first.startsAt && `${formatDay(first.startsAt, first.timeZone)}, ${formatTime(first.startsAt, first.timeZone)}`}
          <span class="muted"> · {[first.venue, first.room].filter(Boolean).join(', ')}</span>
        </p>
        {first.address && <p class="muted">{first.address}</p>}
      </header>
      <Change ticket={first} />
      <ul class="tickets">
        {booking.tickets.map((ticket, index) => (
          <TicketEntry key={ticket.id} ticket={ticket} name={nameOf(ticket, index)} usable={upcoming} changed={changed} />
        ))}
      </ul>
      {upcoming && valid.length > 0 && (
        <div class="row">
          <button
            type="button"
            class="button button-quiet"
            onClick={() =>
              void sending.run(async () => {
                const ticket = valid[0]!;
                save(await fetchFile(`/api/public/tickets/${ticket.id}/calendar.ics`, ticket.token), `booking-${booking.id}.ics`);
              })
            }
          >
            Add to calendar
          </button>
          <button
            type="button"
            class="button button-quiet"
            aria-disabled={resent}
            onClick={() =>
              !resent &&
              void sending.run(async () => {
                const path = { ticket_id: Number(valid[0]!.id) };
                await answered(
                  api.POST('/api/v1/tickets/{ticket_id}/resend', { params: { path }, headers: credentials(valid[0]!.token) }),
                );
                setResent(true);
              })
            }
          >
            {resent ? 'Sent' : 'Mail them again'}
          </button>
        </div>
      )}
      {sending.problem && <ProblemNotice problem={sending.problem} />}
      <p class="muted small">Booking {booking.id}</p>
    </article>
  );
}

/** What the venue has changed since the booking. */
function Change({ ticket: { calledOff, movedFrom, timeZone } }: { ticket: OwnTicket }) {
  if (calledOff) {
    return <Notice tone="bad">The venue has cancelled this. Your tickets are cancelled, and what you paid for them is paid back.</Notice>;
  }
  if (!movedFrom) return null;
  return (
    <Notice>
      This was moved: it was to begin on {formatDay(movedFrom, timeZone)}, {formatTime(movedFrom, timeZone)}. Your tickets stay
      valid.
    </Notice>
  );
}

/** Hand a file to the reader. */
function save(file: Blob, name: string): void {
  const address = URL.createObjectURL(file);
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** What a ticket is called among those of its booking: its seat, or for an event its type and a number. */
function nameOf(ticket: OwnTicket, index: number): string {
  const place = ticket.place ?? 'Ticket';
  return ticket.eventId === null ? place : `${place}, ticket ${index + 1}`;
}

function TicketEntry({
  ticket,
  name,
  usable,
  changed,
}: {
  ticket: OwnTicket;
  name: string;
  usable: boolean;
  changed: (told: string) => void;
}) {
  const [dialog, setDialog] = useState<'' | 'code' | 'cancel' | 'give'>('');
  const valid = ticket.status === 'confirmed' && usable;
  const cancellable = usable && (ticket.status === 'confirmed' || ticket.status === 'pending');
  return (
    <li class="ticket">
      {valid && (
        <button type="button" class="qr-button" aria-label={`Show the QR code of ${name}`} onClick={() => setDialog('code')}>
          <QrCode ticket={ticket} />
        </button>
      )}
      <div class="stack stack-tight">
        <b>{name}</b>
        <span class="muted">
          {formatPrice(ticket.price)} · <span class="mono">{ticket.code}</span>
        </span>
        {ticket.holderName && <span class="muted">For {ticket.holderName}</span>}
        <span>
          <span class={`badge badge-${TONE[ticket.status]}`}>{STATUS[ticket.status]}</span>
          {ticket.status === 'pending' && ticket.paymentDeadline && (
            <small> pay by {formatTime(ticket.paymentDeadline)}</small>
          )}
        </span>
      </div>
      {cancellable && (
        <div class="row ticket-actions">
          {valid && !ticket.admittedAt && (
            <>
              <Link href={`/my-tickets/${ticket.id}/move`} class="button button-quiet">
                Move<span class="visually-hidden"> {name}</span>
              </Link>
              <button type="button" class="button button-quiet" onClick={() => setDialog('give')}>
                Give<span class="visually-hidden"> {name}</span> to somebody else
              </button>
            </>
          )}
          <button type="button" class="button button-quiet" onClick={() => setDialog('cancel')}>
            Cancel<span class="visually-hidden"> {name}</span>
          </button>
        </div>
      )}
      {dialog === 'give' && (
        <Giving ticket={ticket} name={name} close={() => setDialog('')} done={(holder) => changed(`${name} is for ${holder} now.`)} />
      )}
      {dialog === 'code' && (
        <Dialog title={name} close={() => setDialog('')}>
          <div class="qr-large">
            <QrCode ticket={ticket} />
          </div>
          <p>
            {ticket.title}
            <br />
            Ticket <span class="mono">{ticket.code}</span>. Show this code at the door.
          </p>
          <button type="button" class="button button-quiet" onClick={() => setDialog('')}>
            Close
          </button>
        </Dialog>
      )}
      {dialog === 'cancel' && <Cancelling ticket={ticket} name={name} close={() => setDialog('')} changed={changed} />}
    </li>
  );
}

function Cancelling({ ticket, name, close, changed }: { ticket: OwnTicket; name: string; close: () => void; changed: (told: string) => void }) {
  const sending = useSending();
  return (
    <Dialog title={`Cancel ${name}?`} close={close}>
      <p>
        {ticket.title}. The place is free for others at once, and this cannot be undone.
      </p>
      {sending.problem && <ProblemNotice problem={sending.problem} />}
      <div class="row">
        <button
          type="button"
          class="button button-danger"
          aria-disabled={sending.busy}
          onClick={() =>
            void sending.run(async () => {
              const path = { ticket_id: Number(ticket.id) };
              await answered(
                api.DELETE('/api/v1/tickets/{ticket_id}', { params: { path }, headers: credentials(ticket.token) }),
              );
              close();
              changed(`${name} is cancelled. If it was paid, the money will be paid back.`);
            })
          }
        >
          Cancel this ticket
        </button>
        <button type="button" class="button button-quiet" onClick={close}>
          Keep it
        </button>
      </div>
    </Dialog>
  );
}

/** The QR code of a ticket: black on white, also in the dark, so that scanners read it. */
function QrCode({ ticket }: { ticket: OwnTicket }) {
  const [address, setAddress] = useState('');
  const code = useLoaded(() => fetchFile(`/api/public/tickets/${ticket.id}/qr.svg`, ticket.token), [ticket.id]);
  useEffect(() => {
    if (!code.data) return undefined;
    const made = URL.createObjectURL(code.data);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [code.data]);
  return address ? (
    <img class="qr" src={address} alt={`QR code of ticket ${ticket.code}`} />
  ) : (
    <span class="qr qr-empty">{code.problem ? '?' : ''}</span>
  );
}

function FindTickets() {
  const sending = useSending();
  const [sent, setSent] = useState('');
  return (
    <details class="card">
      <summary>Bought as a guest somewhere else?</summary>
      {sent ? (
        <Notice tone="good">If tickets were bought with {sent}, a mail with links to them is on its way.</Notice>
      ) : (
        <form
          class="stack"
          onSubmit={(event) => {
            event.preventDefault();
            const email = fieldOf(event.currentTarget, 'email');
            void sending.run(async () => {
              await answered(api.POST('/api/public/guests/ticket-links', { body: { email } }));
              setSent(email);
            });
          }}
        >
          <Field
            label="E-mail"
            name="email"
            type="email"
            autocomplete="email"
            required
            maxLength={254}
            hint="The address that you bought with. We send you a link."
            errors={sending.errors('email')}
          />
          {sending.problem && <ProblemNotice problem={sending.problem} />}
          <button type="submit" class="button button-quiet" aria-disabled={sending.busy}>
            Send me a link
          </button>
        </form>
      )}
    </details>
  );
}
