// The live figures: asked for once a second while the page is visible, and remembered for a few minutes.

import { signal } from '@preact/signals';
import { answered, api } from '../api/client';
import { broken, Problem } from '../api/problem';
import type { components } from '../api/schema';
import { pauseMs } from '../common/loading';

export type Overview = components['schemas']['Overview'];
export type LiveScreening = components['schemas']['LiveScreening'];
export type LiveServer = components['schemas']['LiveServer'];

const PAUSE_MS = 1000;
const POINTS = 300;

/** What is remembered of a screening, or of all together. */
export const FIGURES = ['held', 'sold', 'available', 'holds_per_second', 'queue', 'journal_lag_seconds', 'sockets'] as const;
export type Figure = (typeof FIGURES)[number];

/** Figures over time: the times in seconds since 1970, and for each figure as many values. */
export type Series = { times: number[] } & Record<Figure, number[]>;

export function emptySeries(): Series {
  return Object.fromEntries([['times', []], ...FIGURES.map((figure) => [figure, []])]) as unknown as Series;
}

/** Add a point; the oldest ones are dropped. */
export function addPoint(series: Series, time: number, point: Record<Figure, number>): void {
  const excess = series.times.length + 1 - POINTS;
  series.times.push(time);
  for (const figure of FIGURES) series[figure].push(point[figure]);
  if (excess > 0) for (const name of ['times', ...FIGURES] as const) series[name].splice(0, excess);
}

/** The figures of all screenings together. Lag is that of the worst server. */
export function totalOf(overview: Overview): Record<Figure, number> {
  const total = Object.fromEntries(FIGURES.map((figure) => [figure, 0])) as Record<Figure, number>;
  for (const screening of overview.screenings) {
    for (const figure of FIGURES) total[figure] += screening[figure];
  }
  total.journal_lag_seconds = Math.max(0, ...overview.servers.map((server) => server.journal_lag_seconds ?? 0));
  total.sockets = overview.servers.reduce((sum, server) => sum + (server.sockets ?? 0), 0);
  return total;
}

/** The latest figures; undefined before the first answer. */
export const overview = signal<Overview | undefined>(undefined);
/** Why the latest call failed; null if it succeeded. */
export const overviewProblem = signal<Problem | null>(null);
/** How far the server's clock is ahead of this machine's, in milliseconds. */
let clockAheadMs = 0;

const series = new Map<number, Series>();
export const totals = emptySeries();

/** The figures of one screening over time. */
export function seriesOf(screeningId: number): Series {
  return series.get(screeningId) ?? emptySeries();
}

/** The present time by the server's clock, in milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + clockAheadMs;
}

function take(answer: Overview): void {
  const at = Date.parse(answer.at);
  clockAheadMs = at - Date.now();
  addPoint(totals, at / 1000, totalOf(answer));
  const present = new Set<number>();
  for (const screening of answer.screenings) {
    present.add(screening.id);
    let known = series.get(screening.id);
    if (!known) series.set(screening.id, (known = emptySeries()));
    addPoint(known, at / 1000, screening);
  }
  // A screening that is not in memory any more does not change.
  for (const id of series.keys()) if (!present.has(id)) series.delete(id);
  overview.value = answer;
}

/** Ask again and again until the returned function is called. */
export function watch(): () => void {
  let failures = 0;
  let timer: number | undefined;
  let stopped = false;

  async function ask(): Promise<void> {
    clearTimeout(timer);
    let pause = PAUSE_MS;
    if (!document.hidden) {
      try {
        take(await answered(api.GET('/api/v1/ops/overview')));
        failures = 0;
        overviewProblem.value = null;
      } catch (error) {
        if (!(error instanceof Problem)) {
          overviewProblem.value = broken();
          throw error;
        }
        overviewProblem.value = error;
        if (!error.retryable) return;
        pause = pauseMs(++failures);
      }
    }
    if (!stopped) timer = window.setTimeout(() => void ask(), pause);
  }

  const now = (): void => void ask();
  addEventListener('online', now);
  now();
  return () => {
    stopped = true;
    clearTimeout(timer);
    removeEventListener('online', now);
  };
}
