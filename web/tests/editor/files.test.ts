import { expect, test } from 'vitest';
import { csvOf, planFromFile, seatsFromCsv, UnreadableFile } from '../../src/editor/files';
import { EMPTY, layoutOf, type Plan, planOf } from '../../src/editor/plan';

const named = (plan: Pick<Plan, 'seats'>) => plan.seats.map(({ key: _, ...seat }) => seat);
const PLAN = planOf({
  version: 3,
  screen: { x: 1, y: 0, width: 8 },
  focus: { x: 4.5, y: 1, rows: ['A'] },
  sections: [{ name: 'Balcony', x: 0, y: 5, width: 9, height: 2 }],
  aisles: [{ x: 4, y: 0, width: 1, height: 9 }],
  seats: [
    { id: 7, row_label: 'A', seat_number: 1, seat_type: 'vip', x: 1.25, y: 1 },
    { id: 8, row_label: 'A,"', seat_number: 2, seat_type: 'standard', x: 2, y: 1 },
  ],
});

test('a document comes back as it was', () => {
  const { seats, ...around } = layoutOf(PLAN, 3);
  expect(around).toEqual({
    version: 3,
    screen: { x: 1, y: 0, width: 8 },
    sections: [{ name: 'Balcony', x: 0, y: 5, width: 9, height: 2 }],
    aisles: [{ x: 4, y: 0, width: 1, height: 9 }],
    focus: { x: 4.5, y: 1, rows: ['A'] },
  });
  expect(seats[0]).toEqual({ row_label: 'A', seat_number: 1, seat_type: 'vip', x: 1.25, y: 1 });
  const read = planFromFile('room.json', JSON.stringify(layoutOf(PLAN, 3)), EMPTY);
  expect(layoutOf(read, 3)).toEqual(layoutOf(PLAN, 3));
});

test('CSV comes back as it was, and keeps what is around the seats', () => {
  const csv = csvOf(PLAN.seats);
  expect(csv).toBe('row,number,type,x,y\r\nA,1,vip,1.25,1\r\n"A,""",2,standard,2,1\r\n');
  const read = planFromFile('room.csv', csv, PLAN);
  expect(named(read)).toEqual(named(PLAN));
  expect(read.areas).toBe(PLAN.areas);
});

test('spreadsheets use other separators and leave out what has a default', () => {
  expect(named({ seats: seatsFromCsv('\uFEFFNumber;ROW\n3;B\n\n') })).toEqual([
    { row: 'B', number: 3, type: 'standard', x: 3, y: 2 },
  ]);
  expect(seatsFromCsv('row\tnumber\tx\nA\t1\t2.5\n')[0]!.x).toBe(2.5);
});

test.each([
  ['', 'The first line must name the columns'],
  ['seat,row\n1,A', 'The first line must name the columns'],
  ['row,number\nA,one', 'Line 2: number must be a number, not “one”.'],
  ['row,number\n,1', 'Line 2 needs a row and a number.'],
  ['row,number\n"A,1', 'The file ends within quotation marks.'],
  [`row,number\n${'A,1\n'.repeat(10_001)}`, 'A room has at most 10000 seats.'],
])('a file like %j is refused', (text, message) => {
  expect(() => seatsFromCsv(text)).toThrow(message);
});

test.each(['{', '{}', '{"seats": 3}', '{"seats": [{"row_label": "A"}]}', '{"seats": [null]}'])('JSON like %s is refused', (text) => {
  expect(() => planFromFile('room.json', text, EMPTY)).toThrow(UnreadableFile);
});
