import { describe, expect, test } from 'vitest';
import { problemOf, unreachable } from '../src/api/problem';
import { accepted, refused, type Admission } from '../src/ops/verdict';

const TICKET = {
  ticket_id: 2001,
  result: 'admitted',
  place: 'Row A, seat 1',
  holder: 'Ada Byron',
  gate: 'North',
  entries: 1,
  admitted_at: '2030-01-26T18:05:00.000Z',
  time_zone: 'Europe/Berlin',
} as Admission;

describe('the verdict about a scan', () => {
  test('is good for whoever comes in, and names the place and the visitor', () => {
    expect(accepted(TICKET)).toEqual({ tone: 'good', title: 'Admitted', text: 'Ada Byron', place: 'Row A, seat 1' });
    expect(accepted({ ...TICKET, entries: 2 })).toMatchObject({ tone: 'good', title: 'Welcome back' });
  });

  test('does not look like an admission when somebody leaves or a scan is taken back', () => {
    expect(accepted({ ...TICKET, result: 'left' })).toMatchObject({ tone: 'bad', title: 'Left' });
    expect(accepted({ ...TICKET, result: 'undone', holder: null })).toMatchObject({ tone: 'bad', title: 'Taken back', text: '' });
  });

  test('says when and where somebody was admitted with the ticket', () => {
    const { result, ...ticket } = TICKET;
    const verdict = refused(problemOf(409, { detail: 'Already admitted', code: 'already_admitted', ...ticket }));
    expect(verdict).toMatchObject({ tone: 'bad', title: 'Already in', place: 'Row A, seat 1' });
    expect(verdict.text).toMatch(/^At .*:05.*, at the gate North · Ada Byron$/);
  });

  test('gives the reason of other refusals in the words of the server', () => {
    const problem = problemOf(409, { detail: 'This ticket is for Low Water, 2030-01-27 20:00', code: 'wrong_screening' });
    expect(refused(problem)).toEqual({ tone: 'bad', title: 'Wrong screening', text: problem.message, place: '' });
  });

  test('is no refusal when nothing was decided', () => {
    expect(refused(unreachable())).toMatchObject({ title: 'Not decided', text: 'The server cannot be reached. Scan it again.' });
  });
});
