// The page at /ops/refunds: what is owed to buyers, and what has been paid back.

import { useState } from 'preact/hooks';
import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { Field, Notice, Shown } from '../common/pieces';
import { Ask } from './actions';
import { Choices, Pages, useReloading } from './lists';
import { formatMinute } from './numbers';

type Refund = components['schemas']['Refund'];
type Status = Refund['status'];

const PAGE = 50;

const LISTS: Record<Status, { name: string; none: string }> = {
  owed: { name: 'Owed', none: 'Nothing is owed.' },
  settled: { name: 'Paid back', none: 'Nothing has been paid back yet.' },
};

export function RefundsPage() {
  const [status, setStatus] = useState<Status>('owed');
  const [page, setPage] = useState(1);
  const [said, setSaid] = useState('');
  const [asked, setAsked] = useState<Refund | null>(null);
  const loaded = useReloading(
    () => answered(api.GET('/api/v1/admin/refunds', { params: { query: { status, page, size: PAGE } } })),
    [status, page],
  );
  return (
    <>
      <h1>Refunds</h1>
      <p>Money is paid back where it was paid, for example in the payment provider’s dashboard. Then record it here.</p>
      <section class="stack" aria-label="Refunds">
        <Choices
          label="Which refunds"
          choices={{ owed: LISTS.owed.name, settled: LISTS.settled.name }}
          value={status}
          choose={(chosen) => {
            setStatus(chosen);
            setPage(1);
            setSaid('');
          }}
        />
        {said && <Notice tone="good">{said}</Notice>}
        <Shown loaded={loaded}>
          {(refunds) =>
            refunds.length ? (
              <>
                <RefundTable
                  status={status}
                  refunds={refunds}
                  settle={(refund) => {
                    setSaid('');
                    setAsked(refund);
                  }}
                />
                <Pages page={page} full={refunds.length === PAGE} go={setPage} />
              </>
            ) : (
              <>
                <Notice>{page === 1 ? LISTS[status].none : 'There are no more.'}</Notice>
                <Pages page={page} full={false} go={setPage} />
              </>
            )
          }
        </Shown>
      </section>
      {asked && (
        <AskSettled
          refund={asked}
          close={() => setAsked(null)}
          done={(text) => {
            setSaid(text);
            setAsked(null);
            loaded.reload();
          }}
        />
      )}
    </>
  );
}

function RefundTable({
  status,
  refunds,
  settle,
}: {
  status: Status;
  refunds: readonly Refund[];
  settle: (refund: Refund) => void;
}) {
  return (
    <div class="table-frame card" role="region" aria-label={LISTS[status].name} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">Payment</th>
            <th scope="col" class="number">
              Amount
            </th>
            <th scope="col">For</th>
            <th scope="col">Confirmed by</th>
            <th scope="col">{status === 'owed' ? 'Owed since' : 'Paid back'}</th>
            <th scope="col">{status === 'owed' ? <span class="visually-hidden">Action</span> : 'Reference'}</th>
          </tr>
        </thead>
        <tbody>
          {refunds.map((refund) => (
            <tr key={refund.id}>
              <th scope="row" class="long-text">
                {refund.payment_id}
                <small class="muted">
                  {[refund.holder, refund.email, `number ${refund.id}`].filter(Boolean).join(', ')}
                </small>
              </th>
              <td class="number">{amountOf(refund)}</td>
              <td>{causeOf(refund)}</td>
              <td>
                {refund.vouched_by === null ? (
                  <span class="badge badge-warn">the buyer only</span>
                ) : (
                  <span class="badge badge-good">{refund.vouched_by}</span>
                )}
              </td>
              <td>{formatMinute(refund.settled_at ?? refund.owed_at)}</td>
              <td class="long-text">
                {status === 'owed' ? (
                  <button
                    type="button"
                    class="button button-quiet"
                    aria-label={`Record as paid back: ${refund.payment_id}, number ${refund.id}`}
                    onClick={() => settle(refund)}
                  >
                    Paid back…
                  </button>
                ) : (
                  refund.reference
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function AskSettled({ refund, close, done }: { refund: Refund; close: () => void; done: (said: string) => void }) {
  const [reference, setReference] = useState('');
  const [isChecked, setChecked] = useState(false);
  const unvouched = refund.vouched_by === null;
  return (
    <Ask
      title={`Has ${amountOf(refund)} been paid back?`}
      button="It has been paid back"
      ready={reference.trim() !== '' && (!unvouched || isChecked)}
      close={close}
      done={done}
      act={async () => {
        await answered(
          api.POST('/api/v1/admin/refunds/{refund_id}/settle', {
            params: { path: { refund_id: refund.id } },
            body: { reference: reference.trim(), confirm: isChecked },
          }),
        );
        return `${amountOf(refund)} for ${refund.payment_id} recorded as paid back.`;
      }}
    >
      <p>
        Payment <strong>{refund.payment_id}</strong>: {causeOf(refund)}.
      </p>
      {unvouched && (
        <>
          <Notice tone="bad">Only the buyer has named this payment. It may never have arrived.</Notice>
          <label class="row check">
            <input type="checkbox" checked={isChecked} onChange={(event) => setChecked(event.currentTarget.checked)} />I have
            seen that the payment arrived
          </label>
        </>
      )}
      <Field
        label="Reference"
        hint="How it was paid back, for example the provider’s number of the refund."
        value={reference}
        maxLength={200}
        required
        onInput={(event) => setReference(event.currentTarget.value)}
      />
    </Ask>
  );
}

function amountOf({ amount, currency }: Refund): string {
  return `${Number(amount).toFixed(2)} ${currency}`;
}

function causeOf({ reason, ticket_id, screening_id }: Refund): string {
  const what = ticket_id === null ? `screening ${screening_id}` : `ticket ${ticket_id}`;
  return `${reason.replaceAll('_', ' ')}, ${what}`;
}
