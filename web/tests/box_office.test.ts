import { expect, test } from 'vitest';
import { nextPath } from '../src/boxoffice/account';
import { initials } from '../src/boxoffice/cover';
import { byDay, dayKey, dayNames, dayOf, startOfDay } from '../src/boxoffice/days';
import { amongNext, filmsOf, formatLength, seatsLeft, type Showtime } from '../src/boxoffice/films';

function showtime(starts_at: string, more: Partial<Showtime> = {}): Showtime {
  return { id: 1, movie_id: null, title: 'Film', starts_at, total_seats: 100, available_seats: 100, poster_url: null, ...more } as Showtime;
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

test('days are those of the reader', () => {
  const night = new Date(2026, 10, 28, 23, 30);
  expect(dayKey(night)).toBe('2026-11-28');
  expect(dayOf('2026-11-28')).toEqual(startOfDay(night));
  expect(dayOf('tomorrow')).toBeNull();
  expect(dayNames(new Date(2026, 10, 29, 1), night)[0]).toBe('Tomorrow');
  expect(dayNames(night, night)[0]).toBe('Today');
  const grouped = byDay([night, new Date(2026, 10, 29, 0, 15)].map((date) => showtime(date.toISOString())));
  expect(grouped.map(([day, entries]) => [dayKey(day), entries.length])).toEqual([
    ['2026-11-28', 1],
    ['2026-11-29', 1],
  ]);
});

test('the next showtimes answer for a day only if they reach beyond it', () => {
  const from = new Date('2026-11-28T00:00:00Z');
  const to = new Date('2026-11-29T00:00:00Z');
  const one = showtime('2026-11-28T20:00:00.000Z');
  expect(amongNext([one], from, to)).toEqual([one]);
  expect(amongNext(Array(100).fill(one), from, to)).toBeNull();
  expect(amongNext([...Array(99).fill(one), showtime('2026-11-29T01:00:00.000Z')], from, to)).toHaveLength(99);
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
