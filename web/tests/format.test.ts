import { expect, test } from 'vitest';
import { formatCountdown, formatDay, formatTime } from '../src/common/format';

test('a countdown has minutes and two digits of seconds, and never runs below zero', () => {
  expect([245, 60, 9.2, 0, -3].map(formatCountdown)).toEqual(['4:05', '1:00', '0:10', '0:00', '0:00']);
});

test('times are those of the venue, with the name of its zone where the reader has another', () => {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const show = '2026-11-28T18:30:00.000Z';
  expect(formatTime(show, here)).toBe(formatTime(show));
  expect(formatTime(show, 'Asia/Kathmandu')).toMatch(/15.*\p{L}{4}/u);
  expect(formatDay(show, 'Asia/Kathmandu')).toContain('29');
  expect(formatTime('2026-07-28T18:30:00.000Z', 'Pacific/Auckland')).toMatch(/30.*\p{L}{4}/u);
  expect(formatTime(show, 'Mars/Olympus')).toBe(formatTime(show, 'UTC'));
});
