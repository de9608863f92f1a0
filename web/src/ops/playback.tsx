// Plays the history of a screening back: a slider over the events of its log, with play, pause and speed.

import { useEffect, useRef, useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { ProblemNotice } from '../common/pieces';
import { nameOf, peopleBy, type Person } from './hall';
import { History, wordFor, type LogEvent } from './history';
import { formatCount, formatMoment } from './numbers';

/** More events than this are not loaded; what is loaded is then the beginning. */
export const EVENTS_LIMIT = 200_000;
const SPEEDS = [1, 10, 100, 1000];
const TICK_MS = 50;

type EventPage = components['schemas']['EventPage'];
type Position = components['schemas']['EventPosition'];

/** A history, as far as it has been loaded. */
export interface Loading {
  history: History | null;
  people: Map<string, Person>;
  events: number;
  truncated: boolean;
  problem: Problem | null;
}

const NOTHING: Loading = { history: null, people: new Map(), events: 0, truncated: false, problem: null };

/** Load the whole event log of a screening once `wanted` is true. */
export function useHistory(screeningId: number, wanted: boolean): Loading & { retry: () => void } {
  const [loading, setLoading] = useState<Loading>(NOTHING);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    setLoading(NOTHING);
    if (!wanted) return;
    let stopped = false;

    async function load(): Promise<void> {
      const events: LogEvent[] = [];
      const people = new Map<string, Person>();
      let position: Position | null = { epoch: 0, seq: 0 };
      while (position && events.length < EVENTS_LIMIT && !stopped) {
        const page: EventPage = await answered(
          api.GET('/api/v1/ops/screenings/{screening_id}/events', {
            params: {
              path: { screening_id: screeningId },
              query: { after_epoch: position.epoch, after_seq: position.seq },
            },
          }),
        );
        events.push(...page.events);
        for (const [holder, person] of peopleBy(page.people)) people.set(holder, person);
        position = page.next;
        if (!stopped) setLoading({ ...NOTHING, events: events.length });
      }
      if (stopped) return;
      setLoading({ ...NOTHING, history: new History(events), people, events: events.length, truncated: position !== null });
    }

    load().catch((error: unknown) => {
      if (!(error instanceof Problem)) throw error;
      if (!stopped) setLoading({ ...NOTHING, problem: error });
    });
    return () => {
      stopped = true;
    };
  }, [screeningId, wanted, attempt]);
  return { ...loading, retry: () => setAttempt(attempt + 1) };
}

/**
 * The controls of the playback.
 *
 * @param position number of events that have happened
 */
export function Playback({
  loading,
  retry,
  position,
  move,
  close,
}: {
  loading: Loading;
  retry: () => void;
  position: number;
  move: (position: number) => void;
  close: () => void;
}) {
  const { history } = loading;
  const last = history?.events.length ?? 0;
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(10);
  const at = useRef(position);
  at.current = position;

  useEffect(() => {
    if (!playing || !history) return;
    // Parts of an event add up while it plays slowly.
    let due = 0;
    const timer = setInterval(() => {
      due += (speed * TICK_MS) / 1000;
      const steps = Math.floor(due);
      if (!steps) return;
      due -= steps;
      const next = Math.min(last, at.current + steps);
      move(next);
      if (next === last) setPlaying(false);
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [playing, speed, history]);

  if (loading.problem) return <ProblemNotice problem={loading.problem} retry={retry} />;
  if (!history) {
    return (
      <p class="card" role="status">
        Loading the event log… {formatCount(loading.events)} events so far
      </p>
    );
  }
  if (!last) {
    return (
      <p class="card row row-apart">
        Nothing has happened to this screening yet.
        <button type="button" class="button button-quiet" onClick={close}>
          Back to now
        </button>
      </p>
    );
  }
  const event = history.before(position);
  const told = event ? eventInWords(event, loading.people) : 'Before the first event';
  return (
    <section class="card stack playback" aria-labelledby="playback">
      <div class="row row-apart">
        <h2 id="playback">Playback</h2>
        <button type="button" class="button button-quiet" onClick={close}>
          Back to now
        </button>
      </div>
      {loading.truncated && <p class="muted">These are the first {formatCount(last)} events.</p>}
      <input
        type="range"
        class="slider"
        aria-label="Position in the history"
        aria-valuetext={`Event ${position} of ${last}: ${told}`}
        min={0}
        max={last}
        value={position}
        onInput={(changed) => {
          setPlaying(false);
          move(Number(changed.currentTarget.value));
        }}
      />
      <div class="row">
        <button
          type="button"
          class="button"
          onClick={() => {
            if (!playing && position === last) move(0);
            setPlaying(!playing);
          }}
        >
          {playing ? 'Pause' : 'Play'}
        </button>
        <button type="button" class="button button-quiet" disabled={position === 0} onClick={() => move(position - 1)}>
          Back one
        </button>
        <button type="button" class="button button-quiet" disabled={position === last} onClick={() => move(position + 1)}>
          Forward one
        </button>
        <label class="row">
          Speed
          <select class="input" value={speed} onChange={(changed) => setSpeed(Number(changed.currentTarget.value))}>
            {SPEEDS.map((events) => (
              <option key={events} value={events}>
                {formatCount(events)} events per second
              </option>
            ))}
          </select>
        </label>
        <span class="muted">
          {formatCount(position)} of {formatCount(last)}
        </span>
      </div>
      <p>
        {event && (
          <time dateTime={event.at} class="muted">
            {formatMoment(event.at)}{' '}
          </time>
        )}
        {told}
      </p>
    </section>
  );
}

function eventInWords(event: LogEvent, people: ReadonlyMap<string, Person>): string {
  const seats = event.seat_ids.length === 1 ? '1 seat' : `${event.seat_ids.length} seats`;
  return `${seats} ${wordFor(event.kind)} by ${nameOf(event.actor, people)}`;
}
