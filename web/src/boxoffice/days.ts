// Days on the calendar of a venue, as the API writes them: "2026-11-28".

import { knownZone } from '../common/format';

export type Day = string;

const SHAPE = /^\d{4}-\d\d-\d\d$/;

/** A day that somebody typed or linked to; null if it is none. */
export function dayOf(text: string): Day | null {
  return SHAPE.test(text) && dayLater(text, 0) === text ? text : null;
}

/** The day some days after another. */
export function dayLater(day: Day, days: number): Day | null {
  const date = dateOf(day);
  date.setUTCDate(date.getUTCDate() + days);
  return Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 10);
}

/** The day that it is in a time zone now. */
export function todayIn(timeZone: string): Day {
  // Sweden writes dates as the API does.
  return new Date().toLocaleDateString('sv-SE', { timeZone: knownZone(timeZone) });
}

/** A day as a date in UTC, for calculating and for `Intl`. */
function dateOf(day: Day): Date {
  return new Date(`${day}T00:00:00Z`);
}

const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short', timeZone: 'UTC' });
const dayAndMonth = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** What a day is called, e.g. ["Today", "28 Nov"]. */
export function dayNames(day: Day, today: Day): [string, string] {
  const date = dateOf(day);
  const name = day === today ? 'Today' : day === dayLater(today, 1) ? 'Tomorrow' : weekday.format(date);
  return [name, dayAndMonth.format(date)];
}

/** Group showtimes by the day at their venue, in the order of the days. */
export function byDay<Entry extends { starts_at_local: string }>(entries: readonly Entry[]): [Day, Entry[]][] {
  const days = new Map<Day, Entry[]>();
  for (const entry of entries) {
    const day = entry.starts_at_local.slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return [...days].sort(([one], [other]) => one.localeCompare(other));
}
