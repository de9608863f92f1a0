// Layouts as files: the API's JSON document, and CSV with the columns row, number, type, x, y.

import { positionOf } from './numbering';
import { type LayoutDocument, newKey, type Plan, planOf, rounded, type Seat, SEATS_LIMIT } from './plan';

const COLUMNS = ['row', 'number', 'type', 'x', 'y'] as const;
type Column = (typeof COLUMNS)[number];

/** A file that cannot be read; the message is for people. */
export class UnreadableFile extends Error {}

/** The seats as CSV (RFC 4180). */
export function csvOf(seats: readonly Seat[]): string {
  const quoted = (value: string) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const lines = seats.map(({ row, number, type, x, y }) =>
    [quoted(row), number, quoted(type), rounded(x), rounded(y)].join(','),
  );
  return [COLUMNS.join(','), ...lines, ''].join('\r\n');
}

/**
 * The seats of a CSV file, separated by commas, semicolons or tabs.
 *
 * @throws {UnreadableFile} it is not one
 */
export function seatsFromCsv(text: string): Seat[] {
  const content = text.replace(/^\uFEFF/, '');
  const header = content.split(/\r?\n/, 1)[0] ?? '';
  const separator = [',', ';', '\t'].reduce((best, one) =>
    header.split(one).length > header.split(best).length ? one : best,
  );
  const [names = [], ...lines] = cellsOf(content, separator);
  const columns = names.map((name) => name.trim().toLowerCase());
  const isKnown = columns.every((name) => (COLUMNS as readonly string[]).includes(name));
  if (!isKnown || !columns.includes('row') || !columns.includes('number')) {
    throw new UnreadableFile('The first line must name the columns: row,number,type,x,y.');
  }
  const seats = lines.flatMap((cells, position) => {
    if (cells.every((cell) => cell.trim() === '')) return [];
    const values = new Map(columns.map((name, column) => [name as Column, (cells[column] ?? '').trim()]));
    return [seatOf(values, position + 2)];
  });
  if (seats.length > SEATS_LIMIT) throw new UnreadableFile(`A room has at most ${SEATS_LIMIT} seats.`);
  return seats;
}

function seatOf(values: Map<Column, string>, line: number): Seat {
  const number = (column: Column, otherwise: number): number => {
    const text = values.get(column);
    if (!text) return otherwise;
    const value = Number(text);
    if (!Number.isFinite(value)) throw new UnreadableFile(`Line ${line}: ${column} must be a number, not “${text}”.`);
    return value;
  };
  const row = values.get('row') ?? '';
  const seatNumber = number('number', NaN);
  if (row === '' || Number.isNaN(seatNumber)) throw new UnreadableFile(`Line ${line} needs a row and a number.`);
  return {
    key: newKey(),
    row,
    number: seatNumber,
    type: values.get('type') || 'standard',
    x: number('x', seatNumber),
    y: number('y', positionOf(row)),
  };
}

function cellsOf(text: string, separator: string): string[][] {
  const lines: string[][] = [[]];
  let cell = '';
  let isQuoted = false;
  for (let position = 0; position < text.length; position++) {
    const character = text[position]!;
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (text[position + 1] === '"') [cell, position] = [`${cell}"`, position + 1];
      else isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === separator || character === '\n') {
      lines.at(-1)!.push(cell.replace(/\r$/, ''));
      cell = '';
      if (character === '\n') lines.push([]);
    } else cell += character;
  }
  if (isQuoted) throw new UnreadableFile('The file ends within quotation marks.');
  lines.at(-1)!.push(cell);
  return lines;
}

/**
 * The plan in a file. A CSV file has seats only, so everything around them stays as it is.
 *
 * @throws {UnreadableFile} it is neither
 */
export function planFromFile(name: string, text: string, present: Plan): Plan {
  if (!/\.json$/i.test(name) && !text.trimStart().startsWith('{')) return { ...present, seats: seatsFromCsv(text) };
  let layout: LayoutDocument;
  try {
    layout = JSON.parse(text) as LayoutDocument;
  } catch {
    throw new UnreadableFile('This is not a JSON file.');
  }
  const isSeat = (seat: unknown) => {
    const { row_label: row, seat_number: number, x = 0, y = 0 } = seat as LayoutDocument['seats'][number];
    return [number, x, y].every(Number.isFinite) && typeof row === 'string';
  };
  try {
    if (!layout.seats.every(isSeat)) throw new UnreadableFile('A seat of the file has no row, number or place.');
    return planOf(layout);
  } catch (error) {
    if (error instanceof UnreadableFile) throw error;
    throw new UnreadableFile('The file has no layout of a room.');
  }
}
