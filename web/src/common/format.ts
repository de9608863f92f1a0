// Money and times as the page's reader writes them.

/** The currency of all prices, which the server writes into the page; empty for bare numbers. */
export const CURRENCY = document.querySelector<HTMLMetaElement>('meta[name=currency]')?.content ?? '';

function moneyIn(currency: string): Intl.NumberFormat {
  return new Intl.NumberFormat(
    undefined,
    currency ? { style: 'currency', currency } : { minimumFractionDigits: 2, maximumFractionDigits: 2 },
  );
}

const money = moneyIn(CURRENCY);

interface Clock {
  day: Intl.DateTimeFormat;
  time: Intl.DateTimeFormat;
  /** The time with the name of its zone. */
  named: Intl.DateTimeFormat;
}

const clocks = new Map<string | undefined, Clock>();

/** A time zone that this browser knows: the one that is given, or UTC if it is newer than the browser. */
export function knownZone(timeZone: string): string {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone });
    return timeZone;
  } catch {
    return 'UTC';
  }
}

/** The clock of a time zone, or the reader's own. */
function clockOf(zone: string | undefined): Clock {
  const known = clocks.get(zone);
  if (known) return known;
  const timeZone = zone && knownZone(zone);
  const made: Clock = {
    day: new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', timeZone }),
    time: new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', timeZone }),
    named: new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', timeZone, timeZoneName: 'shortGeneric' }),
  };
  clocks.set(zone, made);
  return made;
}

/**
 * A price.
 *
 * @param currency if it is not that of all prices
 */
export function formatPrice(price: number | string, currency = CURRENCY): string {
  return (currency === CURRENCY ? money : moneyIn(currency)).format(Number(price));
}

/**
 * The day of a timestamp of the API, e.g. "Sat, 28 Nov".
 *
 * @param timeZone of the venue; the reader's without one
 */
export function formatDay(timestamp: string, timeZone?: string): string {
  return clockOf(timeZone).day.format(new Date(timestamp));
}

/**
 * The time of day of a timestamp of the API, e.g. "20:00"; "20:00 Germany Time" if the reader's clock shows another.
 *
 * @param timeZone of the venue; the reader's without one
 */
export function formatTime(timestamp: string, timeZone?: string): string {
  return timeAndZone(timestamp, timeZone).filter(Boolean).join(' ');
}

/** The same in two parts: the time, and the name of its zone, empty if the reader's clock shows the same. */
export function timeAndZone(timestamp: string, timeZone?: string): [string, string] {
  const date = new Date(timestamp);
  const { day, time, named } = clockOf(timeZone);
  const own = clockOf(undefined);
  const shown = time.format(date);
  const same = own.time.format(date) === shown && own.day.format(date) === day.format(date);
  const zone = named.formatToParts(date).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return [shown, same ? '' : zone];
}

/** Time left as minutes and seconds, e.g. "4:05"; "0:00" if none is left. */
export function formatCountdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}
