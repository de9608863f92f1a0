// A hall: choose seats, live, and go on to the checkout. The seats themselves are the component `<frontrow-seats>`.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { answered, api } from '../api/client';
import { SERVER } from '../common/base';
import { CURRENCY, formatDay, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Notice, Shown } from '../common/pieces';
import { user } from '../common/session';
import type { Cart, FrontrowSeatsElement } from '../seats/public';
import { keepCart } from './cart';
import { secondsUntil } from './countdown';
import { customerToken } from './customer';
import { Opening } from './opening';
import { useTitle } from './title';

export function ScreeningPage({ id }: { id: number }) {
  const screening = useLoaded(
    () => answered(api.GET('/api/v1/screenings/{screening_id}', { params: { path: { screening_id: id } } })),
    [id],
  );
  const showtime = useLoaded(
    () => answered(api.GET('/api/v1/showtimes/{showtime_id}', { params: { path: { showtime_id: id } } })),
    [id],
  );
  useTitle(screening.data?.title ?? '');
  if (screening.problem?.status === 404) {
    return (
      <>
        <h1>This screening does not exist</h1>
        <p>
          <Link href="/">See what is on</Link>
        </p>
      </>
    );
  }
  return (
    <Shown loaded={screening} name="Screening">
      {(shown) => (
        <>
          <header class="stack stack-tight">
            <p class="muted">
              {shown.movie_id ? <Link href={`/films/${shown.movie_id}`}>About the film</Link> : <Link href="/">What is on</Link>}
            </p>
            <h1>{shown.title}</h1>
            <p class="lead">
              {formatDay(shown.starts_at, shown.time_zone)}, {formatTime(shown.starts_at, shown.time_zone)} · {shown.cinema_name}, {shown.room_name}
            </p>
          </header>
          {shown.cancelled_at ? (
            <Notice tone="bad">This screening was cancelled. Tickets for it are no longer valid.</Notice>
          ) : (
            <Window start={shown.sales_start} end={shown.sales_end} timeZone={shown.time_zone}>
              <Sale id={id} startsAt={shown.starts_at} soldOut={showtime.data?.available_seats === 0} />
            </Window>
          )}
        </>
      )}
    </Shown>
  );
}

interface WindowProps {
  start: string | null;
  end: string | null;
  timeZone: string;
  children: ComponentChildren;
}

/** The hall once sales are open; it stays after their end, because what is reserved can still be bought. */
function Window({ start, end, timeZone, children }: WindowProps) {
  const [open, setOpen] = useState(!start || secondsUntil(start) <= 0);
  if (start && !open) return <Opening at={start} timeZone={timeZone} opened={() => setOpen(true)} />;
  return (
    <>
      {end && secondsUntil(end) <= 0 && <Notice>Sales have ended. You can still buy what you have reserved.</Notice>}
      {children}
    </>
  );
}

function Sale({ id, startsAt, soldOut }: { id: number; startsAt: string; soldOut: boolean }) {
  const left = (): number => Date.parse(startsAt) - Date.now();
  const [over, setOver] = useState(left() <= 0);
  useEffect(() => {
    // A longer timer would overflow and run at once; who waits a day reloads anyway.
    if (over || left() > 86_400_000) return undefined;
    const timer = setTimeout(() => setOver(true), left());
    return () => clearTimeout(timer);
  }, [startsAt, over]);
  if (over) {
    return (
      <Notice>
        <span>The sale has ended, because the screening has begun.</span>
        <Link href="/">See what is on</Link>
      </Notice>
    );
  }
  return (
    <>
      {soldOut && <Notice>Every seat is taken. A seat that somebody gives back turns green at once.</Notice>}
      {/* Another customer has other seats, so the component starts anew. */}
      {user.value !== undefined && <Hall key={user.value?.id ?? 'guest'} id={id} />}
    </>
  );
}

function Hall({ id }: { id: number }) {
  const place = useRef<HTMLDivElement>(null);
  const [, navigate] = useLocation();
  useEffect(() => {
    const element: FrontrowSeatsElement = document.createElement('frontrow-seats');
    element.server = SERVER;
    element.token = customerToken;
    element.screening = id;
    element.currency = CURRENCY;
    element.addEventListener('checkout', (event) => {
      const cart: Cart = event.detail;
      keepCart(id, cart.seats.map(({ id: seat, row, number, type, price }) => ({ id: seat, row, number, type, price })));
      navigate(`/screenings/${id}/checkout`);
    });
    place.current?.append(element);
    return () => element.remove();
  }, [id]);
  return <div ref={place} class="hall" />;
}
