// How long seats stay reserved, by the server's clock.

import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client';
import { formatCountdown } from '../common/format';

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
 */
export function Countdown({ until, over }: { until: string; over: () => void }) {
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
  return (
    <p class={`countdown ${left < 60 ? 'countdown-short' : ''}`}>
      <span class="mono" role="timer">
        {formatCountdown(left)}
      </span>{' '}
      left to pay
      <span class="visually-hidden" role="status">
        {left < 60 && left > 0 ? 'Less than a minute left' : ''}
      </span>
    </p>
  );
}
