// The payment step. No money can move here: a demo offers a test payment and says so; other servers sell tickets that
// are paid at the cinema, until a payment provider is connected.

import { useEffect, useState } from 'preact/hooks';
import type { Problem } from '../api/problem';
import { formatPrice } from '../common/format';
import { Notice } from '../common/pieces';
import type { Rules } from './rules';

/** Whether a booking was refused because it costs another sum than the page had shown. */
export function isOfPrice({ code, details }: Problem): boolean {
  return code === 'price_changed' || details.reason === 'price_changed';
}

/** What became of the money of a refused order: a test payment charges nobody, and a real one may be owed back. */
export function Charged({ problem, rules }: { problem: Problem; rules: Rules }) {
  const { refund_id, amount, currency } = problem.details;
  if (rules.testPayment || typeof refund_id !== 'number' || typeof amount !== 'number') return <>You have not been charged.</>;
  return (
    <>
      Your payment could not be used. You get {formatPrice(amount, typeof currency === 'string' ? currency : undefined)} back; if you have questions, give the refund number{' '}
      <b>{refund_id}</b>.
    </>
  );
}

/**
 * Tells the new total and asks again.
 *
 * @param reload loads what is reserved now, with its prices
 */
export function PriceChanged({ problem, rules, reload }: { problem: Problem; rules: Rules; reload: () => void }) {
  useEffect(reload, [problem]);
  const { actual } = problem.details;
  return (
    <Notice>
      The price has changed since this page was loaded{typeof actual === 'number' && `: the total is now ${formatPrice(actual)}`}.{' '}
      <Charged problem={problem} rules={rules} /> If you agree, please confirm once more.
    </Notice>
  );
}

/**
 * The end of a form: what paying means here, and the button.
 *
 * @param amount to pay
 * @param paidHere whether tickets are final without a payment
 */
export function PayButtons({ amount, rules, busy }: { amount: number; rules: Rules; busy: boolean }) {
  const [declined, setDeclined] = useState(false);
  if (!rules.testPayment) {
    return (
      <>
        <p class="muted">You pay at the cinema. Reserved tickets show until when.</p>
        <button type="submit" class="button button-wide" aria-disabled={busy}>
          {busy ? 'Reserving…' : `Reserve, pay ${formatPrice(amount)} at the cinema`}
        </button>
      </>
    );
  }
  return (
    <>
      <fieldset class="test-payment stack">
        <legend>Test payment</legend>
        <p>This is a demo. No card is needed, and no money moves.</p>
        {declined && <Notice tone="bad">The test payment was declined. Your seats are still reserved; try again.</Notice>}
        <button type="submit" class="button button-wide" aria-disabled={busy} onClick={() => setDeclined(false)}>
          {busy ? 'Paying…' : `Pay ${formatPrice(amount)} (test)`}
        </button>
        <button type="button" class="button button-quiet" aria-disabled={busy} onClick={() => setDeclined(true)}>
          Try a declined payment
        </button>
      </fieldset>
    </>
  );
}
