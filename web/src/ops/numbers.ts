// Figures as operators read them.

const counts = new Intl.NumberFormat(undefined);
const rates = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export function formatCount(count: number): string {
  return counts.format(count);
}

export function formatRate(rate: number): string {
  return rate >= 100 ? counts.format(Math.round(rate)) : rates.format(rate);
}

/** A short duration in seconds, e.g. "12 ms" or "3.2 s". */
export function formatAge(seconds: number): string {
  if (seconds === 0) return '0 s';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return `${rates.format(seconds)} s`;
}

/** How long ago something was, in milliseconds: e.g. "40 s", "5 min", "3 h", "2 days". */
export function formatAgo(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

const moment = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

const minute = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A timestamp with year and minutes. */
export function formatMinute(timestamp: string): string {
  return minute.format(new Date(timestamp));
}

/** A timestamp with seconds. */
export function formatMoment(timestamp: string | number): string {
  return moment.format(new Date(timestamp));
}
