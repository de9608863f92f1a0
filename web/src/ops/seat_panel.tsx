// What is known of the chosen seats, who had them when, and what can be done with them by hand.

import { useEffect, useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { useLoaded } from '../common/loading';
import { Notice, Shown } from '../common/pieces';
import { AskCancel, AskRelease, seats as seatsOf, type Holding } from './actions';
import { AskCounter } from './counter_dialog';
import { AskBlock, AskUnblock } from './blocks';
import { describe, FREE, nameOf, peopleBy, seatName, type Person, type RoomSeat, type States } from './hall';
import { wordFor } from './history';
import { formatAgo, formatMoment } from './numbers';

const NAMED = 6;

/** Names of seats, at most a few. */
function namesOf(seats: readonly RoomSeat[]): string {
  const names = seats.slice(0, NAMED).map(seatName).join(', ');
  return seats.length > NAMED ? `${names} and ${seats.length - NAMED} more` : names;
}

type Asked = 'release' | 'cancel' | 'sell' | 'reserve' | 'block' | 'unblock';

/**
 * @param refresh asks for the states again; the socket does not name guests or tickets
 */
export function SeatPanel({
  screeningId,
  seats,
  states,
  people,
  now,
  refresh,
  close,
}: {
  screeningId: number;
  seats: readonly RoomSeat[];
  states: States;
  people: ReadonlyMap<string, Person>;
  now: number;
  refresh: () => Promise<void>;
  close: () => void;
}) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const [said, setSaid] = useState('');
  const only = seats.length === 1 ? seats[0] : undefined;
  const state = only ? (states.get(only.id) ?? FREE) : undefined;
  const key = seats.map((seat) => seat.id).join();
  useEffect(() => setSaid(''), [key]);

  const holdings = holdingsOf(seats, states, people);
  const statusOf = (seat: RoomSeat): string => states.get(seat.id)?.status ?? 'available';
  const sellable = seats.every((seat) => ['available', 'held', 'blocked'].includes(statusOf(seat)));
  const blocked = seats.filter((seat) => statusOf(seat) === 'blocked').map((seat) => seat.id);
  const booked = state && state.ticketId !== null && (state.status === 'booked' || state.status === 'pending');

  async function ask(what: Asked): Promise<void> {
    setSaid('');
    await refresh();
    setAsked(what);
  }

  function done(text: string): void {
    setAsked(null);
    setSaid(text);
    void refresh();
  }

  const byId = new Map(seats.map((seat) => [seat.id, seat]));
  const names = (seatIds: readonly number[]): string =>
    namesOf(seatIds.flatMap((seatId) => byId.get(seatId) ?? []));
  const shared = { screeningId, done, close: () => setAsked(null) };
  return (
    <aside class="card stack panel" aria-label="Chosen seats">
      <div class="row row-apart">
        <h2>{only ? seatName(only) : `${seats.length} seats`}</h2>
        <button type="button" class="button button-quiet" onClick={close}>
          Close
        </button>
      </div>
      {asked === 'release' && holdings.length === 0 && <Notice>The hold has ended by itself.</Notice>}
      {asked === 'cancel' && !booked && <Notice>The booking has been cancelled already.</Notice>}
      {said && <Notice tone="good">{said}</Notice>}
      {only && state ? (
        <p>
          <strong>{describe(state, people)}</strong>
          {state.since !== null && <span class="muted"> for {formatAgo(now - state.since)}</span>}
          {state.expiresAt !== null && <span class="muted">, ends in {formatAgo(state.expiresAt - now)}</span>}
          <br />
          <small class="muted">
            {only.seat_type}, number {only.id}
            {state.ticketId !== null && `, ticket ${state.ticketId}`}
          </small>
        </p>
      ) : (
        <p>{namesOf(seats)}</p>
      )}
      <div class="row">
        {sellable && (
          <button type="button" class="button" onClick={() => void ask('sell')}>
            Sell by hand…
          </button>
        )}
        {sellable && (
          <button type="button" class="button button-quiet" onClick={() => void ask('reserve')}>
            Reserve…
          </button>
        )}
        {seats.every((seat) => statusOf(seat) === 'available') && (
          <button type="button" class="button button-quiet" onClick={() => void ask('block')}>
            Keep back…
          </button>
        )}
        {blocked.length > 0 && (
          <button type="button" class="button button-quiet" onClick={() => void ask('unblock')}>
            Put on sale…
          </button>
        )}
        {seats.some((seat) => statusOf(seat) === 'held') && (
          <button type="button" class="button button-quiet" onClick={() => void ask('release')}>
            Release…
          </button>
        )}
        {only && state && (state.status === 'booked' || state.status === 'pending') && (
          <button type="button" class="button button-quiet" onClick={() => void ask('cancel')}>
            Cancel the booking…
          </button>
        )}
      </div>
      {only && <SeatLog screeningId={screeningId} seat={only} version={`${state?.status} ${state?.since}`} />}
      {(asked === 'sell' || asked === 'reserve') && (
        <AskCounter
          {...shared}
          key={asked}
          what={asked}
          goods={{ seat_ids: seats.map((seat) => seat.id) }}
          named={seatsOf(seats.length)}
          holding={holdings.length === 1 ? holdings[0] : undefined}
        >
          <p>{namesOf(seats)}</p>
        </AskCounter>
      )}
      {asked === 'block' && <AskBlock {...shared} seatIds={seats.map((seat) => seat.id)} names={namesOf(seats)} />}
      {asked === 'unblock' && <AskUnblock {...shared} seatIds={blocked} names={names} />}
      {asked === 'release' && holdings.length > 0 && <AskRelease {...shared} holdings={holdings} names={names} />}
      {asked === 'cancel' && only && booked && state.ticketId !== null && (
        <AskCancel {...shared} ticketId={state.ticketId} who={nameOf(state.holder, people)} seat={seatName(only)} />
      )}
    </aside>
  );
}

function holdingsOf(seats: readonly RoomSeat[], states: States, people: ReadonlyMap<string, Person>): Holding[] {
  const holdings = new Map<string, Holding>();
  for (const { id } of seats) {
    const state = states.get(id);
    if (state?.status !== 'held' || state.holder === null) continue;
    const known = holdings.get(state.holder);
    if (known) known.seatIds.push(id);
    else holdings.set(state.holder, { holder: state.holder, who: nameOf(state.holder, people), seatIds: [id] });
  }
  return [...holdings.values()];
}

/** Who had a seat when, newest first. */
function SeatLog({ screeningId, seat, version }: { screeningId: number; seat: RoomSeat; version: string }) {
  const loaded = useLoaded(
    () =>
      answered(
        api.GET('/api/v1/ops/screenings/{screening_id}/seats/{seat_id}/log', {
          params: { path: { screening_id: screeningId, seat_id: seat.id } },
        }),
      ),
    [screeningId, seat.id, version],
  );
  return (
    <section class="stack" aria-labelledby="seat-log">
      <h3 id="seat-log">Who had it when</h3>
      <Shown loaded={loaded}>
        {(log) => {
          const people = peopleBy(log.people);
          return log.events.length ? (
            <ol class="log" tabIndex={0} aria-label="Log of the seat">
              {log.events.map((event) => (
                <li key={`${event.epoch} ${event.seq}`}>
                  <time class="muted" dateTime={event.at}>
                    {formatMoment(event.at)}
                  </time>
                  <span>
                    <strong>{wordFor(event.kind)}</strong> {preposition(event.kind)} {nameOf(event.holder, people)}
                    {event.actor !== event.holder && event.actor !== 'system' && (
                      <span class="badge badge-accent">by hand: {nameOf(event.actor, people)}</span>
                    )}
                  </span>
                </li>
              ))}
            </ol>
          ) : (
            <p class="muted">Nobody has had this seat yet.</p>
          );
        }}
      </Shown>
    </section>
  );
}

function preposition(kind: string): string {
  if (kind === 'seats_held' || kind === 'holds_extended' || kind === 'tickets_confirmed') return 'by';
  return kind === 'tickets_issued' ? 'to' : 'of';
}
