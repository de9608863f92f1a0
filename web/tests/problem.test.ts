import { expect, test } from 'vitest';
import { problemOf } from '../src/api/problem';

test('both styles of error bodies are read alike', () => {
  const plain = problemOf(409, { detail: 'A1 is taken', code: 'seats_unavailable', retryable: false });
  const enveloped = problemOf(409, {
    success: false,
    message: 'A1 is taken',
    error: { code: 'seats_unavailable', retryable: false },
  });
  for (const problem of [plain, enveloped])
    expect([problem.message, problem.code, problem.retryable]).toEqual(['A1 is taken', 'seats_unavailable', false]);
});

test('an answer that is not of this server may be repeated', () => {
  const problem = problemOf(502, undefined);
  expect([problem.code, problem.retryable, problem.serverAway]).toEqual(['unknown', true, true]);
  expect(problem.message).toBe('The server could not answer.');
});
