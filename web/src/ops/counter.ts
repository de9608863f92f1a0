// What an operator says about a customer at the counter, as the API takes it.

import type { components } from '../api/schema';
import type { Person } from './hall';

export type Sale = components['schemas']['SaleByHand'];

/** What is sold: seats of a screening, or tickets of an event by quantity. */
export type Goods = { seat_ids: readonly number[] } | { ticket_type_id: number; quantity: number };

/** Who gets the goods: an account, a guest who is new, or who holds the seats already. */
export type Customer =
  | { kind: 'account'; person: Person | null }
  | { kind: 'guest'; name: string; email: string }
  | { kind: 'holder' };

export type Payment = 'none' | 'cash' | 'card' | 'gift';

/** Whether enough is said to go on. `about` is the reference of a payment, or the reason of a gift. */
export function isComplete(customer: Customer, payment: Payment, about: string): boolean {
  if (payment === 'gift' && !about.trim()) return false;
  if (customer.kind === 'account') return customer.person !== null;
  return customer.kind === 'holder' || customer.name.trim() !== '';
}

/**
 * The body of a sale, or of a reservation if nothing is paid.
 *
 * @param holder who holds some of the seats; somebody else takes them over
 */
export function saleOf(
  goods: Goods,
  customer: Customer,
  holder: string | null,
  payment: Payment = 'none',
  about = '',
): Sale {
  const said = about.trim();
  return {
    ...goods,
    ...whoOf(customer, holder),
    ...(payment === 'gift' ? { price: 0, reason: said } : {}),
    ...(payment === 'cash' || payment === 'card' ? { paid: { method: payment, ...(said ? { reference: said } : {}) } } : {}),
  } as Sale;
}

function whoOf(customer: Customer, holder: string | null): Partial<Sale> {
  switch (customer.kind) {
    case 'holder':
      return { holder: holder ?? '' };
    case 'account': {
      const { person } = customer;
      return { user_id: person?.user_id ?? 0, ...(holder && holder !== person?.holder ? { take_over: holder } : {}) };
    }
    case 'guest': {
      const email = customer.email.trim();
      const guest = { full_name: customer.name.trim(), ...(email ? { email } : {}) };
      return { guest, ...(holder ? { take_over: holder } : {}) };
    }
  }
}
