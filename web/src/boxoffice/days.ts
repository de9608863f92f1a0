// Days as the reader's calendar has them.

/** The begin of a day, some days after a date. */
export function startOfDay(date: Date, later = 0): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + later);
}

/** A day as a key, e.g. "2026-11-28". */
export function dayKey(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The begin of the day with this key; null if it is none. */
export function dayOf(key: string): Date | null {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(key) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, Number(day)) : null;
}

const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const dayAndMonth = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** What a day is called, e.g. ["Today", "28 Nov"]. */
export function dayNames(date: Date, now = new Date()): [string, string] {
  const distance = Math.round((startOfDay(date).getTime() - startOfDay(now).getTime()) / 86_400_000);
  const name = distance === 0 ? 'Today' : distance === 1 ? 'Tomorrow' : weekday.format(date);
  return [name, dayAndMonth.format(date)];
}

/** Group by day, in the order given. */
export function byDay<Entry extends { starts_at: string }>(entries: readonly Entry[]): [Date, Entry[]][] {
  const days = new Map<string, [Date, Entry[]]>();
  for (const entry of entries) {
    const day = startOfDay(new Date(entry.starts_at));
    const known = days.get(dayKey(day));
    if (known) known[1].push(entry);
    else days.set(dayKey(day), [day, [entry]]);
  }
  return [...days.values()];
}
