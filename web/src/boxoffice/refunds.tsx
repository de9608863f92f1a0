// What buyers get back: how much, for what, and whether it is on its way.

import { formatDay, formatPrice, formatTime } from '../common/format';
import type { OwnRefund } from './tickets';

const REASONS: Readonly<Record<string, string>> = {
  ticket_cancelled: 'A cancelled ticket',
  ticket_moved: 'The new seat is cheaper',
  surplus: 'You paid more than the tickets cost',
  currency_mismatch: 'A payment in another currency',
};

export function Refunds({ refunds }: { refunds: readonly OwnRefund[] }) {
  if (refunds.length === 0) return null;
  return (
    <section class="card stack" aria-labelledby="refunds">
      <h2 id="refunds">Refunds</h2>
      <ul class="order">
        {refunds.map((refund) => (
          <li key={refund.id}>
            <span class="stack stack-tight">
              <b>{refund.title || 'Your visit'}</b>
              {refund.starts_at && (
                <span class="muted small">
                  {formatDay(refund.starts_at, refund.time_zone)}, {formatTime(refund.starts_at, refund.time_zone)}
                  {refund.place && ` · ${refund.place}`}
                </span>
              )}
              <span>{REASONS[refund.reason] ?? 'A payment that could not be used'}</span>
              <Progress refund={refund} />
            </span>
            <b>{formatPrice(refund.amount, refund.currency)}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Progress({ refund }: { refund: OwnRefund }) {
  if (refund.settled_at) {
    return (
      <span>
        <span class="badge badge-good">Paid back</span>{' '}
        <small>
          on {formatDay(refund.settled_at)}, reference <span class="mono">{refund.reference}</span>
        </small>
      </span>
    );
  }
  return (
    <span>
      <span class="badge badge-warn">To be paid back</span>{' '}
      <small>
        since {formatDay(refund.owed_at)}, refund {refund.id}
        {refund.vouched_by === null && ', if you have paid'}
      </small>
    </span>
  );
}
