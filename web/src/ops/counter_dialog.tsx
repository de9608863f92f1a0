// The form for customers at the counter: reserve, sell or give away seats, also those that somebody holds, or tickets of
// an event by quantity.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { formatPrice } from '../common/format';
import { Field } from '../common/pieces';
import { Ask, seats, type Holding } from './actions';
import { isComplete, saleOf, type Customer, type Goods, type Payment } from './counter';
import type { Person } from './hall';
import { Choices } from './lists';
import { Unanswered } from './unanswered';

const PAYMENTS: Record<Payment, string> = { none: 'Not recorded', cash: 'Cash', card: 'Card', gift: 'Given away' };

/**
 * @param what whether the goods are sold or only reserved
 * @param named the goods by number and kind, such as "2 seats"
 * @param holding who holds some of the seats; the customer takes them over
 * @param guests whether a guest who is new can have them
 * @param children what the form begins with
 */
export function AskCounter({
  what,
  screeningId,
  goods,
  named,
  holding,
  guests = true,
  ready = true,
  done,
  close,
  children,
}: {
  what: 'sell' | 'reserve';
  screeningId: number;
  goods: Goods;
  named: string;
  holding?: Holding | undefined;
  guests?: boolean;
  ready?: boolean;
  done: (said: string) => void;
  close: () => void;
  children: ComponentChildren;
}) {
  const [customer, setCustomer] = useState<Customer>({ kind: 'account', person: null });
  const [payment, setPayment] = useState<Payment>('none');
  const [about, setAbout] = useState('');
  const [unanswered] = useState(() => new Unanswered('by-hand'));
  const who = nameOfCustomer(customer, holding);
  const verb = what === 'sell' ? (payment === 'gift' ? 'Give' : 'Sell') : 'Reserve';
  const kinds = {
    account: 'Account',
    ...(guests ? { guest: 'New guest' } : {}),
    ...(holding ? { holder: holding.who } : {}),
  } as Record<Customer['kind'], string>;

  async function act(): Promise<string> {
    const body = saleOf(goods, customer, holding?.holder ?? null, payment, about);
    return unanswered.send(body, async (key) => {
      const params = { path: { screening_id: screeningId }, header: { 'Idempotency-Key': key } };
      if (what === 'reserve') {
        await answered(api.POST('/api/v1/ops/screenings/{screening_id}/reservations', { params, body }));
        return `${named} reserved for ${who}.`;
      }
      const tickets = await answered(api.POST('/api/v1/ops/screenings/{screening_id}/sales', { params, body }));
      const total = tickets.reduce((sum, ticket) => sum + Number(ticket.price), 0);
      return payment === 'gift' ? `${named} given to ${who}.` : `${named} sold to ${who} for ${formatPrice(total)}.`;
    });
  }

  return (
    <Ask
      title={what === 'sell' ? `Sell ${named} by hand` : `Reserve ${named}`}
      button={who ? `${verb} ${what === 'sell' ? 'to' : 'for'} ${who}` : verb}
      ready={ready && isComplete(customer, payment, about)}
      close={close}
      done={done}
      act={act}
    >
      {children}
      <Choices
        label="Customer"
        choices={kinds}
        value={customer.kind}
        choose={(kind) =>
          setCustomer(
            kind === 'account' ? { kind, person: null } : kind === 'guest' ? { kind, name: '', email: '' } : { kind: 'holder' },
          )
        }
      />
      {customer.kind === 'account' && <FindAccount person={customer.person} found={(person) => setCustomer({ kind: 'account', person })} />}
      {customer.kind === 'guest' && (
        <>
          <Field
            label="Name"
            value={customer.name}
            required
            autocomplete="off"
            onInput={(event) => setCustomer({ ...customer, name: event.currentTarget.value })}
          />
          <Field
            label="E-mail"
            hint="The tickets are sent to it, if it is given"
            type="email"
            value={customer.email}
            autocomplete="off"
            onInput={(event) => setCustomer({ ...customer, email: event.currentTarget.value })}
          />
        </>
      )}
      {holding && customer.kind !== 'holder' && (
        <p role="status">
          <strong>{holding.who}</strong> holds {seats(holding.seatIds.length)} of them; the customer takes over the hold and its
          price.
        </p>
      )}
      {what === 'sell' && (
        <>
          <Choices label="Payment" choices={PAYMENTS} value={payment} choose={setPayment} />
          {payment !== 'none' && (
            <Field
              label={payment === 'gift' ? 'Reason' : 'Reference'}
              hint={payment === 'gift' ? 'Why the tickets cost nothing' : 'Number of the receipt; one is drawn if it is empty'}
              value={about}
              required={payment === 'gift'}
              autocomplete="off"
              onInput={(event) => setAbout(event.currentTarget.value)}
            />
          )}
        </>
      )}
      <p class="muted">The log names you.</p>
    </Ask>
  );
}

function nameOfCustomer(customer: Customer, holding: Holding | undefined): string {
  if (customer.kind === 'account') return customer.person?.full_name || customer.person?.email || '';
  return customer.kind === 'guest' ? customer.name.trim() : (holding?.who ?? '');
}

function FindAccount({ person, found }: { person: Person | null; found: (person: Person | null) => void }) {
  const [who, setWho] = useState('');
  const [errors, setErrors] = useState<string[]>([]);

  async function find(): Promise<void> {
    setErrors([]);
    found(null);
    try {
      found(await answered(api.GET('/api/v1/ops/people/find', { params: { query: { who: who.trim() } } })));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setErrors([error.status === 404 ? 'There is no such account.' : error.message]);
    }
  }

  return (
    <>
      <form
        class="row find"
        onSubmit={(event) => {
          event.preventDefault();
          void find();
        }}
      >
        <Field
          label="Account"
          hint="E-mail address or number"
          value={who}
          errors={errors}
          required
          autocomplete="off"
          onInput={(event) => {
            setWho(event.currentTarget.value);
            found(null);
          }}
        />
        <button type="submit" class="button button-quiet">
          Find
        </button>
      </form>
      <div role="status">
        {person && (
          <p>
            <strong>{person.full_name || person.email}</strong> ({person.email}, account {person.user_id}) gets the tickets by
            mail.
          </p>
        )}
      </div>
    </>
  );
}
