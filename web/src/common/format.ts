// Money and times as the page's reader writes them.

const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** A price. The API has no currency. */
export function formatPrice(price: number | string): string {
  return money.format(Number(price));
}

/** The day of a timestamp of the API, e.g. "Sat, 28 Nov". */
export function formatDay(timestamp: string): string {
  return day.format(new Date(timestamp));
}

/** The time of day of a timestamp of the API, e.g. "20:00". */
export function formatTime(timestamp: string): string {
  return time.format(new Date(timestamp));
}

/** Time left as minutes and seconds, e.g. "4:05"; "0:00" if none is left. */
export function formatCountdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}
