// When sales open: a countdown by the server's clock.

import { useEffect, useRef, useState } from 'preact/hooks';
import { formatDay, formatTime } from '../common/format';
import { Notice } from '../common/pieces';
import { secondsUntil } from './countdown';

const DAY_SECONDS = 86_400;

/** The server's clock is known to half a second, and nobody should come too early. */
const SLACK_SECONDS = 0.5;

/** A duration, e.g. "3 days 04:05:06"; without days if it is shorter than one. */
export function formatWait(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  const days = Math.floor(left / DAY_SECONDS);
  const parts = [Math.floor((left % DAY_SECONDS) / 3600), Math.floor((left % 3600) / 60), left % 60];
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return days === 0 ? clock : `${days} ${days === 1 ? 'day' : 'days'} ${clock}`;
}

/**
 * Says when sales open and counts down. Screen readers hear the time of the opening, not every second.
 *
 * @param at timestamp of the server
 * @param timeZone of the venue
 * @param opened called once when the time has come
 */
export function Opening({ at, timeZone, opened }: { at: string; timeZone: string; opened: () => void }) {
  const [left, setLeft] = useState(secondsUntil(at));
  const told = useRef(opened);
  told.current = opened;
  useEffect(() => {
    let done = false;
    const update = (): void => {
      const seconds = secondsUntil(at);
      setLeft(seconds);
      if (seconds <= -SLACK_SECONDS && !done) {
        done = true;
        told.current();
      }
    };
    update();
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  }, [at]);
  return (
    <Notice>
      <span>
        Sales open on {formatDay(at, timeZone)} at {formatTime(at, timeZone)}.
      </span>
      <span class="mono" role="timer" aria-live="off">
        {formatWait(left)}
      </span>
    </Notice>
  );
}
