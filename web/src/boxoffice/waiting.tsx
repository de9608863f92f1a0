// The waiting list for tickets that are sold out: joining, the place in the line, leaving. An offer shows up as a
// reservation, with the time that is left to pay.

import { useEffect, useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { useLoaded } from '../common/loading';
import { Notice, ProblemNotice } from '../common/pieces';
import { customer } from './customer';
import { useSending } from './form';

type Entry = components['schemas']['WaitlistEntry'];
type TicketType = components['schemas']['EventWithTickets']['ticketTypes'][number];

/** How often the place in the line is asked for. */
const LOOK_MS = 30_000;

/** The ticket types for which somebody can wait: on sale, and all taken. */
export function waitable(kinds: readonly TicketType[]): TicketType[] {
  return kinds.filter((kind) => kind.onSale && kind.available === 0);
}

async function ownEntries(event: number): Promise<Entry[]> {
  const all = await answered(api.GET('/api/v1/waitlist/me', { headers: await customer() }));
  return all.filter((entry) => entry.screening_id === event && entry.status === 'waiting');
}

/**
 * @param event id of the event
 * @param kinds its ticket types
 */
export function WaitingList({ event, kinds }: { event: number; kinds: readonly TicketType[] }) {
  const entries = useLoaded(() => ownEntries(event), [event]);
  const waits = (entries.data ?? []).length > 0;
  useEffect(() => {
    if (!waits) return undefined;
    const timer = setInterval(entries.reload, LOOK_MS);
    return () => clearInterval(timer);
  }, [waits]);
  const own = new Map((entries.data ?? []).map((entry) => [String(entry.ticket_type_id), entry]));
  const shown = kinds.filter((kind) => own.has(kind.id) || waitable([kind]).length > 0);
  if (!entries.data || shown.length === 0) return null;
  return (
    <section class="card stack" aria-labelledby="waiting">
      <h2 id="waiting">Waiting list</h2>
      <p class="muted">Wait for what others give back. It is your turn in the order of joining; we tell you here, and by mail if we have your address.</p>
      <ul class="order">
        {shown.map((kind) => (
          <li key={kind.id}>
            <b>{kind.name}</b>
            <Place kind={kind} entry={own.get(kind.id) ?? null} changed={entries.reload} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Place({ kind, entry, changed }: { kind: TicketType; entry: Entry | null; changed: () => void }) {
  const [quantity, setQuantity] = useState(1);
  const sending = useSending();

  async function join(): Promise<void> {
    await answered(
      api.POST('/api/v1/waitlist', { body: { ticketTypeId: kind.id, quantity, together: false }, headers: await customer() }),
    );
    changed();
  }

  async function leave(id: number): Promise<void> {
    await answered(api.DELETE('/api/v1/waitlist/{entry_id}', { params: { path: { entry_id: id } }, headers: await customer() }));
    changed();
  }

  return (
    <span class="stack stack-tight">
      {entry ? (
        <>
          <span role="status">
            Number {entry.position} in line, for {entry.quantity}
          </span>
          <button type="button" class="button button-quiet" aria-disabled={sending.busy} onClick={() => void sending.run(() => leave(entry.id))}>
            Leave the waiting list
          </button>
        </>
      ) : (
        <>
          <label class="row">
            Tickets
            <select value={String(quantity)} onChange={(changed) => setQuantity(Number(changed.currentTarget.value))}>
              {Array.from({ length: kind.maxPerOrder }, (_, index) => (
                <option key={index} value={String(index + 1)}>
                  {index + 1}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            class="button"
            aria-label={`Join the waiting list for ${kind.name}`}
            aria-disabled={sending.busy}
            onClick={() => void sending.run(join)}
          >
            Join the waiting list
          </button>
        </>
      )}
      {sending.problem && <ProblemNotice problem={sending.problem} />}
    </span>
  );
}

/** Says that the turn has come; the tickets are among those that are reserved. */
export function YourTurn() {
  return <Notice>It is your turn: the tickets that you have waited for are reserved for you.</Notice>;
}
