import { describe, expect, test } from 'vitest';
import { isComplete, saleOf, type Customer } from '../src/ops/counter';
import { shareOf } from '../src/ops/funnel';

const ADA = { holder: 'user:7', user_id: 7, full_name: 'Ada Byron', email: 'ada@home.example' };
const ACCOUNT: Customer = { kind: 'account', person: ADA };
const GUEST: Customer = { kind: 'guest', name: ' Bob Booth ', email: ' ' };
const HOLDER: Customer = { kind: 'holder' };

describe('a sale at the counter', () => {
  test('names the customer in one way', () => {
    expect(saleOf({ seat_ids: [1, 2] }, ACCOUNT, null)).toEqual({ seat_ids: [1, 2], user_id: 7 });
    expect(saleOf({ seat_ids: [1] }, GUEST, null)).toEqual({ seat_ids: [1], guest: { full_name: 'Bob Booth' } });
    expect(saleOf({ seat_ids: [1] }, { ...GUEST, email: 'bob@home.example' }, null)).toEqual({
      seat_ids: [1],
      guest: { full_name: 'Bob Booth', email: 'bob@home.example' },
    });
    expect(saleOf({ seat_ids: [1] }, HOLDER, '~a')).toEqual({ seat_ids: [1], holder: '~a' });
  });

  test('is of seats, or of tickets by quantity', () => {
    const goods = { ticket_type_id: 5, quantity: 2 };
    expect(saleOf(goods, ACCOUNT, null, 'cash')).toEqual({ ...goods, user_id: 7, paid: { method: 'cash' } });
  });

  test('takes over what somebody else holds', () => {
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, '~a')).toMatchObject({ take_over: '~a' });
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, 'user:7')).not.toHaveProperty('take_over');
    expect(saleOf({ seat_ids: [1] }, GUEST, 'user:7')).toMatchObject({ take_over: 'user:7' });
  });

  test('says how it is paid, or why it is not', () => {
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, null, 'cash', ' ')).toMatchObject({ paid: { method: 'cash' } });
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, null, 'card', ' 4711 ')).toMatchObject({ paid: { method: 'card', reference: '4711' } });
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, null, 'gift', 'Press')).toMatchObject({ price: 0, reason: 'Press' });
    expect(saleOf({ seat_ids: [1] }, ACCOUNT, null, 'none', 'left over')).toEqual({ seat_ids: [1], user_id: 7 });
  });

  test('waits until enough is said', () => {
    expect(isComplete({ kind: 'account', person: null }, 'none', '')).toBe(false);
    expect(isComplete(ACCOUNT, 'cash', '')).toBe(true);
    expect(isComplete(ACCOUNT, 'gift', ' ')).toBe(false);
    expect(isComplete({ kind: 'guest', name: ' ', email: '' }, 'none', '')).toBe(false);
    expect(isComplete(GUEST, 'gift', 'Press')).toBe(true);
    expect(isComplete(HOLDER, 'none', '')).toBe(true);
  });
});

test('the share of what is paid', () => {
  expect([shareOf(1, 3), shareOf(0, 0), shareOf(5, 3)]).toEqual(['33 %', '–', '100 %']);
});
