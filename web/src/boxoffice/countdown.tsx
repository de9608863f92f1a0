// How long seats stay reserved, by the server's clock.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import { formatCountdown } from '../common/format';
import { ProblemNotice } from '../common/pieces';
import { useSending } from './form';

/** More time is offered in the last minutes only, because it is granted a few times at most. */
const OFFERED_SECONDS = 120;

/** How far the server's clock is ahead of this computer's, from the Date field of its answers. */
let aheadMs = 0;

api.use({
  onResponse({ response }) {
    const date = Date.parse(response.headers.get('Date') ?? '');
    // Date has whole seconds; half a second is the expected rest.
    if (!Number.isNaN(date)) aheadMs = date + 500 - Date.now();
  },
});

/** Seconds until a timestamp of the server. */
export function secondsUntil(timestamp: string): number {
  return (Date.parse(timestamp) - Date.now() - aheadMs) / 1000;
}

/**
 * The time that is left, every second. Screen readers only hear that the last minute begins.
 *
 * @param until timestamp of the server
 * @param over called once when no time is left
 * @param extend asks the server for more time
 */
export function Countdown({ until, over, extend }: { until: string; over: () => void; extend: () => Promise<void> }) {
  const [left, setLeft] = useState(secondsUntil(until));
  const ended = useRef(over);
  ended.current = over;
  useEffect(() => {
    let done = false;
    const update = (): void => {
      const seconds = secondsUntil(until);
      setLeft(seconds);
      if (seconds <= 0 && !done) {
        done = true;
        ended.current();
      }
    };
    update();
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  }, [until]);
  const sending = useSending();
  const refused = sending.problem?.code === 'extension_limit_reached';
  return (
    <div class="stack stack-tight">
      <p class={`countdown ${left < 60 ? 'countdown-short' : ''}`}>
        <span class="mono" role="timer">
          {formatCountdown(left)}
        </span>{' '}
        left to pay
        <span class="visually-hidden" role="status">
          {left < 60 && left > 0 ? 'Less than a minute left' : ''}
        </span>
      </p>
      {left > 0 && left < OFFERED_SECONDS && !refused && (
        <button type="button" class="button button-quiet" aria-disabled={sending.busy} onClick={() => void sending.run(extend)}>
          More time
        </button>
      )}
      {refused && (
        <p class="muted small" role="status">
          The time cannot be extended any more.
        </p>
      )}
      {sending.problem && !refused && <ProblemNotice problem={sending.problem} />}
    </div>
  );
}
