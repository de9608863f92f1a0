// One screening: its figures over time, its hall live or played back, and its seats.

import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { SERVER } from '../common/base';
import { formatDay, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Notice, ProblemNotice, Shown, Waiting } from '../common/pieces';
import { accessToken } from '../common/session';
import { ScreeningClient } from '../../client/screening_client.js';
import { Chart, Legend } from './chart';
import { applyUpdates, countsOf, peopleBy, statesOf, type Person, type RoomSeat, type SeatState, type States, type Update } from './hall';
import { FunnelPanel } from './funnel';
import { HallLegend, HallView } from './hall_view';
import { overview, overviewProblem, seriesOf, serverNow, watch } from './live';
import { formatAge, formatCount, formatRate } from './numbers';
import { Freshness } from './overview';
import { Playback, useHistory } from './playback';
import { SeatPanel } from './seat_panel';
import { TicketsPanel } from './tickets_panel';

type Details = components['schemas']['OperatedDetails'];

export function ScreeningPage({ id }: { id: number }) {
  useEffect(watch, []);
  const loaded = useLoaded(
    () => answered(api.GET('/api/v1/ops/screenings/{screening_id}', { params: { path: { screening_id: id } } })),
    [id],
  );
  return (
    <>
      <Link href="/ops">All screenings</Link>
      <Shown loaded={loaded}>{(details) => <Screening details={details} />}</Shown>
    </>
  );
}

function Screening({ details }: { details: Details }) {
  const { id } = details;
  const [played, setPlayed] = useState<number | null>(null);
  const { retry, ...loading } = useHistory(id, played !== null);
  const { history } = loading;
  const position = played === null || !history ? 0 : Math.min(played, history.events.length);

  // A history begins at its end: what is shown is what is there now.
  useEffect(() => {
    if (history) setPlayed(history.events.length);
  }, [history]);

  return (
    <>
      <div class="row row-apart">
        <div>
          <h1>{details.title || `Screening ${id}`}</h1>
          <p class="muted">
            {formatDay(details.starts_at, details.time_zone)}, {formatTime(details.starts_at, details.time_zone)} · {details.place} · number {id}
            {details.cancelled && <span class="badge badge-bad">{details.kind === 'event' ? 'closed' : 'cancelled'}</span>}
          </p>
        </div>
        <div class="row">
          <Link href={`/ops/check-in/${id}`}>Check-in</Link>
          {played === null && (
            <button type="button" class="button button-quiet" onClick={() => setPlayed(0)}>
              Play the history back
            </button>
          )}
          <Freshness />
        </div>
      </div>
      {overviewProblem.value && <ProblemNotice problem={overviewProblem.value} />}
      {played !== null && (
        <Playback loading={loading} retry={retry} position={position} move={setPlayed} close={() => setPlayed(null)} />
      )}
      {played !== null && history ? (
        <HistoryChart history={history} position={position} capacity={details.capacity} />
      ) : (
        <LiveCharts details={details} />
      )}
      {played === null && details.kind === 'event' && <TicketsPanel eventId={id} />}
      {played === null && <FunnelPanel screeningId={id} />}
      {details.room_id !== null && (
        <Hall
          screeningId={id}
          roomId={details.room_id}
          played={
            played !== null && history
              ? {
                  states: history.at(position),
                  now: Date.parse(history.before(position)?.at ?? details.first_event_at ?? details.starts_at),
                  people: loading.people,
                }
              : null
          }
        />
      )}
    </>
  );
}

function HistoryChart({
  history,
  position,
  capacity,
}: {
  history: import('./history').History;
  position: number;
  capacity: number;
}) {
  const { times, held, sold } = history.counts;
  const free = useMemo(() => held.map((count, index) => capacity - count - (sold[index] ?? 0)), [history, capacity]);
  const [heldNow, soldNow] = [held[position] ?? 0, sold[position] ?? 0];
  return (
    <section class="card stack" aria-label="Seats over the whole history">
      <Legend
        entries={[
          { label: 'sold', colour: '--heat-sold-old', value: formatCount(soldNow) },
          { label: 'held', colour: '--heat-held-new', value: formatCount(heldNow) },
          { label: 'free', colour: '--seat-free', value: formatCount(capacity - heldNow - soldNow) },
        ]}
      />
      <Chart
        label={`Seats over the whole history; at this point ${soldNow} sold and ${heldNow} held`}
        times={times}
        lines={[
          { label: 'sold', colour: '--heat-sold-old', values: sold, stepped: true, filled: true },
          { label: 'held', colour: '--heat-held-new', values: held, stepped: true },
          { label: 'free', colour: '--seat-free', values: free, stepped: true },
        ]}
        height={220}
        shortest={0.01}
        marked={times[position]}
      />
    </section>
  );
}

function LiveCharts({ details }: { details: Details }) {
  const live = overview.value?.screenings.find((screening) => screening.id === details.id);
  if (overview.value === undefined) return <Waiting />;
  if (!live) {
    return (
      <Notice>
        This screening is not in memory, because nobody is using it: {formatCount(details.sold)} sold,{' '}
        {formatCount(details.held)} held of {formatCount(details.capacity)}.
      </Notice>
    );
  }
  const series = seriesOf(details.id);
  const server = overview.value.servers.find(({ mark }) => mark === live.server);
  return (
    <section class="charts" aria-label="Live figures">
      <div class="card stack">
        <Legend
          entries={[
            { label: 'sold', colour: '--heat-sold-old', value: formatCount(live.sold) },
            { label: 'held', colour: '--heat-held-new', value: formatCount(live.held) },
            { label: 'free', colour: '--seat-free', value: formatCount(live.available) },
          ]}
        />
        <Chart
          label={`Seats, last five minutes; now ${live.sold} sold, ${live.held} held, ${live.available} free`}
          times={series.times}
          lines={[
            { label: 'sold', colour: '--heat-sold-old', values: series.sold, filled: true },
            { label: 'held', colour: '--heat-held-new', values: series.held },
            { label: 'free', colour: '--seat-free', values: series.available },
          ]}
          height={180}
        />
      </div>
      <div class="card stack">
        <Legend entries={[{ label: 'holds per second', colour: '--accent', value: formatRate(live.holds_per_second) }]} />
        <Chart
          label={`Holds per second, last five minutes; now ${formatRate(live.holds_per_second)}`}
          times={series.times}
          lines={[{ label: 'holds per second', colour: '--accent', values: series.holds_per_second, filled: true }]}
          height={180}
        />
      </div>
      <dl class="card facts">
        <div>
          <dt>Commands waiting</dt>
          <dd>{formatCount(live.queue)}</dd>
        </div>
        <div>
          <dt>Sockets</dt>
          <dd>{formatCount(live.sockets)}</dd>
        </div>
        <div>
          <dt>Journal behind</dt>
          <dd>{formatAge(live.journal_lag_seconds)}</dd>
        </div>
        <div>
          <dt>Server</dt>
          <dd>{server?.name ?? live.server}</dd>
        </div>
        <div>
          <dt>Position</dt>
          <dd>
            epoch {live.epoch}, {formatCount(live.seq)}
          </dd>
        </div>
      </dl>
    </section>
  );
}

interface LiveHall {
  states: States;
  people: Map<string, Person>;
  state: string;
  problem: Problem | null;
  refresh: () => Promise<void>;
}

/** The states of a hall, kept up to date by its socket. */
function useLiveHall(screeningId: number): LiveHall {
  const states = useRef(new Map<number, SeatState>());
  const people = useRef(new Map<string, Person>());
  const [state, setState] = useState('connecting');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const refresh = useRef<() => Promise<void>>(async () => undefined);

  useEffect(() => {
    let stopped = false;
    states.current = new Map();
    const client = new ScreeningClient(SERVER, screeningId, async () => (await accessToken()) ?? '');

    refresh.current = async () => {
      try {
        const hall = await answered(
          api.GET('/api/v1/ops/screenings/{screening_id}/hall', { params: { path: { screening_id: screeningId } } }),
        );
        if (stopped) return;
        states.current = statesOf(hall);
        people.current = peopleBy(hall.people);
        setProblem(null);
        redraw(0);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (!stopped) setProblem(error);
      }
    };
    client.addEventListener('state', (event) => setState((event as CustomEvent<{ state: string }>).detail.state));
    client.addEventListener('snapshot', () => void refresh.current());
    client.addEventListener('seats', (event) => {
      const { changed, replaced } = (event as CustomEvent<{ changed: Update[]; replaced: boolean }>).detail;
      if (replaced) return;
      applyUpdates(states.current, changed, serverNow());
      redraw(0);
    });
    client.open();
    // Ages change although nothing happens.
    const aging = setInterval(() => redraw(0), 5000);
    return () => {
      stopped = true;
      clearInterval(aging);
      client.close();
    };
  }, [screeningId]);

  return { states: states.current, people: people.current, state, problem, refresh: () => refresh.current() };
}

interface Played {
  states: States;
  now: number;
  people: ReadonlyMap<string, Person>;
}

function Hall({ screeningId, roomId, played }: { screeningId: number; roomId: number; played: Played | null }) {
  const live = useLiveHall(screeningId);
  const [selected, choose] = useState<ReadonlySet<number>>(new Set());
  const loaded = useLoaded(
    () => answered(api.GET('/api/v1/rooms/{room_id}/seats/', { params: { path: { room_id: roomId } } })),
    [roomId],
  );
  const states = played?.states ?? live.states;
  const people = played?.people ?? live.people;
  const now = played?.now ?? serverNow();

  function shown(seats: readonly RoomSeat[]) {
    const chosen = seats.filter((seat) => selected.has(seat.id));
    return (
      <div class="hall-and-panel">
        <div class="card stack">
          <div class="row row-apart">
            <HallLegend counts={countsOf(states, seats.length)} />
            {!played && live.state !== 'live' && live.state !== 'polling' && (
              <span class="badge badge-warn" role="status">
                Seats reconnecting…
              </span>
            )}
          </div>
          {!played && live.problem && <ProblemNotice problem={live.problem} retry={() => void live.refresh()} />}
          <HallView seats={seats} states={states} people={people} now={now} selected={selected} choose={choose} />
        </div>
        {chosen.length > 0 && (
          <SeatPanel
            screeningId={screeningId}
            seats={chosen}
            states={live.states}
            people={live.people}
            now={serverNow()}
            refresh={live.refresh}
            close={() => choose(new Set())}
          />
        )}
      </div>
    );
  }

  return (
    <section class="stack" aria-labelledby="hall">
      <h2 id="hall">{played ? 'The hall then' : 'The hall now'}</h2>
      <Shown loaded={loaded}>{shown}</Shown>
    </section>
  );
}
