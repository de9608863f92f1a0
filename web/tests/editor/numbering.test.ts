import { describe, expect, test } from 'vitest';
import { labelsAfter, positionOf, renamed, rowLabels, seatNumbers, USUAL_LABELS, USUAL_NUMBERS } from '../../src/editor/numbering';
import type { Seat } from '../../src/editor/plan';

const seat = (row: string, number: number, x: number, y: number): Seat => ({ key: x * 100 + y, row, number, type: 'standard', x, y });

describe('row labels', () => {
  test('go on after Z', () => {
    expect(rowLabels(28, USUAL_LABELS).slice(24)).toEqual(['Y', 'Z', 'AA', 'AB']);
  });
  test('begin anywhere, in letters or numbers', () => {
    expect(rowLabels(3, { ...USUAL_LABELS, first: 'Y' })).toEqual(['Y', 'Z', 'AA']);
    expect(rowLabels(3, { ...USUAL_LABELS, first: '9' })).toEqual(['9', '10', '11']);
  });
  test('can leave out what looks like a digit', () => {
    const labels = rowLabels(15, { ...USUAL_LABELS, skipConfusing: true });
    expect(labels).toHaveLength(15);
    expect(labels.join('')).toBe('ABCDEFGHJKLMNPQ');
  });
  test('have positions', () => {
    expect(['A', 'z', 'AB', '7', 'Ä', 'A1'].map(positionOf)).toEqual([1, 26, 28, 7, 0, 0]);
  });
});

describe('labels of further rows', () => {
  test('go on after the last ones of their kind', () => {
    expect(labelsAfter([], USUAL_LABELS).first).toBe('A');
    expect(labelsAfter(['A', 'B', 'H', '20'], USUAL_LABELS).first).toBe('I');
    expect(labelsAfter(['A', 'H'], { ...USUAL_LABELS, skipConfusing: true }).first).toBe('J');
    expect(labelsAfter(['A', '9'], { ...USUAL_LABELS, first: '9' }).first).toBe('10');
    expect(labelsAfter(['A', 'B'], { ...USUAL_LABELS, first: 'K' }).first).toBe('K');
  });
});

describe('seat numbers', () => {
  test.each([
    [{ first: 1, from: 'left', which: 'all' }, [1, 2, 3]],
    [{ first: 5, from: 'right', which: 'all' }, [7, 6, 5]],
    [{ first: 1, from: 'left', which: 'odd' }, [1, 3, 5]],
    [{ first: 1, from: 'right', which: 'even' }, [6, 4, 2]],
    [{ first: 4, from: 'left', which: 'odd' }, [5, 7, 9]],
  ] as const)('%o', (numbers, expected) => {
    expect(seatNumbers(3, numbers)).toEqual(expected);
  });
});

test('seats are named anew by where they stand', () => {
  const seats = [seat('X', 9, 2, 1), seat('X', 8, 1, 1), seat('Q', 1, 1, 2), seat('Q', 2, 2, 2)];
  const names = renamed(seats, { ...USUAL_LABELS, first: 'C', fromBack: true }, { ...USUAL_NUMBERS, from: 'right' });
  expect(names.map(({ row, number, x, y }) => [row, number, x, y])).toEqual([
    ['D', 2, 1, 1],
    ['D', 1, 2, 1],
    ['C', 2, 1, 2],
    ['C', 1, 2, 2],
  ]);
});

test('two blocks side by side are one row', () => {
  const seats = [seat('L', 1, 1, 1), seat('R', 1, 5, 1.2)];
  expect(renamed(seats, USUAL_LABELS, USUAL_NUMBERS).map(({ row, number }) => row + number)).toEqual(['A1', 'A2']);
});
