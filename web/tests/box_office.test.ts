import { expect, test, vi } from 'vitest';
import { nextPath } from '../src/boxoffice/account';
import { initials } from '../src/boxoffice/cover';
import { byDay, dayLater, dayNames, dayOf, todayIn } from '../src/boxoffice/days';
import { amongNext, filmsOf, formatLength, seatsLeft, type Showtime } from '../src/boxoffice/films';

function showtime(starts_at: string, more: Partial<Showtime> = {}): Showtime {
  return { id: 1, movie_id: null, title: 'Film', starts_at, starts_at_local: starts_at, total_seats: 100, available_seats: 100, poster_url: null, ...more } as Showtime;
}

test('only paths of this site are gone on to', () => {
  expect(nextPath('next=/my-tickets')).toBe('/my-tickets');
  expect(nextPath('next=%2Fscreenings%2F3%2Fcheckout')).toBe('/screenings/3/checkout');
  for (const foreign of ['https://elsewhere.example', '//elsewhere.example', '/\\elsewhere.example', '/\t/elsewhere.example', 'javascript:alert(1)']) {
    expect(nextPath(`next=${encodeURIComponent(foreign)}`)).toBe('/');
  }
});

test('covers have the letters of the words that matter', () => {
  expect(initials("The Cartographer's Tide")).toBe('CT');
  expect(initials('La última panadería')).toBe('ÚP');
  expect(initials('2001')).toBe('2');
  expect(initials('…')).toBe('★');
});

test('days are those of the venue', () => {
  expect(dayOf('2026-11-28')).toBe('2026-11-28');
  for (const none of ['tomorrow', '2026-02-31', '2026-13-01', '']) expect(dayOf(none)).toBeNull();
  expect(dayLater('2026-12-31', 1)).toBe('2027-01-01');
  expect(dayNames('2026-11-29', '2026-11-28')[0]).toBe('Tomorrow');
  expect(dayNames('2026-11-28', '2026-11-28')[0]).toBe('Today');
  expect(dayNames('2026-11-30', '2026-11-28')[1]).toContain('30');
  const late = showtime('2026-11-28T10:30:00Z', { starts_at_local: '2026-11-28T23:30:00+13:00' });
  const next = showtime('2026-11-28T11:15:00Z', { starts_at_local: '2026-11-29T00:15:00+13:00' });
  const elsewhere = showtime('2026-11-28T12:00:00Z', { starts_at_local: '2026-11-28T13:00:00+01:00' });
  expect(byDay([late, next, elsewhere])).toEqual([
    ['2026-11-28', [late, elsewhere]],
    ['2026-11-29', [next]],
  ]);
});

test('today is that of a time zone, of UTC if the browser does not know it', () => {
  vi.useFakeTimers({ now: new Date('2026-11-28T18:20:00Z') });
  expect(['UTC', 'Asia/Kathmandu', 'Pacific/Niue', 'Mars/Olympus'].map(todayIn)).toEqual([
    '2026-11-28',
    '2026-11-29',
    '2026-11-28',
    '2026-11-28',
  ]);
  vi.useRealTimers();
});

test('the next showtimes answer for a day only if they reach beyond it in every time zone', () => {
  const one = showtime('2026-11-28T20:00:00.000Z');
  expect(amongNext([one], '2026-11-28')).toEqual([one]);
  expect(amongNext(Array(100).fill(one), '2026-11-28')).toBeNull();
  expect(amongNext([...Array(99).fill(one), showtime('2026-11-29T01:00:00.000Z')], '2026-11-28')).toBeNull();
  expect(amongNext([...Array(99).fill(one), showtime('2026-11-30T01:00:00.000Z')], '2026-11-28')).toHaveLength(99);
});

test('showtimes without a film are grouped by title', async () => {
  const films = await filmsOf([showtime('2026-11-28T20:00:00Z'), showtime('2026-11-28T22:00:00Z'), showtime('2026-11-28T23:00:00Z', { title: 'Other' })]);
  expect(films.map(({ title, showtimes }) => [title, showtimes.length])).toEqual([
    ['Film', 2],
    ['Other', 1],
  ]);
});

test('lengths and what is left', () => {
  expect([118, 60, 45].map(formatLength)).toEqual(['1 h 58 min', '1 h', '45 min']);
  expect(seatsLeft(showtime('', { available_seats: 0 }))).toBe('Sold out');
  expect(seatsLeft(showtime('', { available_seats: 5 }))).toBe('Few seats left');
  expect(seatsLeft(showtime('', { available_seats: 6 }))).toBe('');
});
