// The tickets of an event by type: how many are left, and the counter, where they are sold by quantity.

import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { formatPrice } from '../common/format';
import { useLoaded } from '../common/loading';
import { Field, Notice, Shown } from '../common/pieces';
import { AskCounter } from './counter_dialog';
import { formatCount } from './numbers';

type TicketType = components['schemas']['PublicTicketType'];

/** Most tickets that one request can sell at the counter. */
const QUANTITY_LIMIT = 100;

interface Asked {
  what: 'sell' | 'reserve';
  type: TicketType;
}

export function TicketsPanel({ eventId }: { eventId: number }) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const [said, setSaid] = useState('');
  const loaded = useLoaded(async () => {
    const path = { event_id: eventId };
    return (await answered(api.GET('/api/public/events/{event_id}', { params: { path } }))).data.ticketTypes;
  }, [eventId]);

  function ask(next: Asked): void {
    setSaid('');
    setAsked(next);
    loaded.reload();
  }

  return (
    <section class="stack" aria-labelledby="tickets">
      <h2 id="tickets">Tickets</h2>
      {said && <Notice tone="good">{said}</Notice>}
      <Shown loaded={loaded}>
        {(types) =>
          types.length === 0 ? (
            <p class="muted">The event has no ticket types yet.</p>
          ) : (
            <TicketTypes types={types} ask={ask} />
          )
        }
      </Shown>
      {asked && (
        <AskTickets
          {...asked}
          eventId={eventId}
          close={() => setAsked(null)}
          done={(text) => {
            setAsked(null);
            setSaid(text);
            loaded.reload();
          }}
        />
      )}
    </section>
  );
}

function TicketTypes({ types, ask }: { types: readonly TicketType[]; ask: (next: Asked) => void }) {
  return (
    <div class="card table-frame" role="region" aria-label="Tickets by type" tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Type</th>
            <th scope="col">Price</th>
            <th scope="col">Sold</th>
            <th scope="col">Reserved</th>
            <th scope="col">Kept back</th>
            <th scope="col">Left</th>
            <th scope="col">
              <span class="visually-hidden">At the counter</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {types.map((type) => (
            <tr key={type.id}>
              <th scope="row">
                {type.name}
                {!type.onSale && <small class="muted">not on sale to others</small>}
              </th>
              <td>{formatPrice(type.price)}</td>
              <td>{formatCount(type.sold)}</td>
              <td>{formatCount(type.reserved)}</td>
              <td>{formatCount(type.blocked ?? 0)}</td>
              <td>{formatCount(type.available)}</td>
              <td>
                <div class="row">
                  <button
                    type="button"
                    class="button"
                    aria-label={`Sell ${type.name}…`}
                    onClick={() => ask({ what: 'sell', type })}
                  >
                    Sell…
                  </button>
                  <button
                    type="button"
                    class="button button-quiet"
                    aria-label={`Reserve ${type.name}…`}
                    onClick={() => ask({ what: 'reserve', type })}
                  >
                    Reserve…
                  </button>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Reservations are for accounts: a guest who is new could not come back for them. */
function AskTickets({
  what,
  type,
  eventId,
  done,
  close,
}: Asked & { eventId: number; done: (said: string) => void; close: () => void }) {
  const [quantity, setQuantity] = useState('1');
  const number = Number(quantity);
  const ready = Number.isInteger(number) && number >= 1 && number <= QUANTITY_LIMIT;
  return (
    <AskCounter
      what={what}
      screeningId={eventId}
      goods={{ ticket_type_id: Number(type.id), quantity: number }}
      named={ready ? tickets(number) : 'tickets'}
      guests={what === 'sell'}
      ready={ready}
      done={done}
      close={close}
    >
      <p>
        {type.name}, {formatPrice(type.price)} each
      </p>
      <Field
        label="How many"
        type="number"
        min={1}
        max={QUANTITY_LIMIT}
        step={1}
        required
        value={quantity}
        errors={ready ? undefined : [`Enter a number from 1 to ${QUANTITY_LIMIT}.`]}
        onInput={(event) => setQuantity(event.currentTarget.value)}
      />
    </AskCounter>
  );
}

function tickets(number: number): string {
  return number === 1 ? '1 ticket' : `${number} tickets`;
}
