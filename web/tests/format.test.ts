import { expect, test } from 'vitest';
import { formatCountdown } from '../src/common/format';

test('a countdown has minutes and two digits of seconds, and never runs below zero', () => {
  expect([245, 60, 9.2, 0, -3].map(formatCountdown)).toEqual(['4:05', '1:00', '0:10', '0:00', '0:00']);
});
