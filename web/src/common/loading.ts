// What a page shows comes from calls that can fail. `useLoaded` makes such a call, keeps the last answer on the screen
// while the server is away, and calls again by itself: after a growing pause, and at once when the network is back.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { broken, Problem } from '../api/problem';

const SHORTEST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15_000;

export interface Loaded<Data> {
  /** The latest answer; undefined before the first. */
  data: Data | undefined;
  /** Why the latest call failed; null if it succeeded. */
  problem: Problem | null;
  /** Call again now. */
  reload: () => void;
}

/** The pause before a repeat: doubled each time, and spread so that many pages do not call at once. */
export function pauseMs(failures: number, random: () => number = Math.random): number {
  const pause = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** (failures - 1));
  return pause * (0.75 + random() / 2);
}

/**
 * Load what a page shows.
 *
 * @param load makes the call; throws a `Problem`
 * @param inputs what the call depends on: a change drops the answer and calls again
 */
export function useLoaded<Data>(load: () => Promise<Data>, inputs: readonly unknown[]): Loaded<Data> {
  const [data, setData] = useState<Data | undefined>(undefined);
  const [problem, setProblem] = useState<Problem | null>(null);
  const again = useRef<() => void>(() => undefined);

  useEffect(() => {
    let failures = 0;
    let timer: number | undefined;
    // Answers to older calls are ignored.
    let latest = 0;

    async function call(): Promise<void> {
      clearTimeout(timer);
      const number = ++latest;
      try {
        const answer = await load();
        if (number !== latest) return;
        failures = 0;
        setData(() => answer);
        setProblem(null);
      } catch (error) {
        if (number !== latest) return;
        if (!(error instanceof Problem)) {
          setProblem(broken());
          throw error;
        }
        setProblem(error);
        if (!error.retryable) return;
        failures += 1;
        timer = window.setTimeout(() => void call(), pauseMs(failures));
      }
    }

    const reload = (): void => void call();
    again.current = reload;
    addEventListener('online', reload);
    setData(undefined);
    setProblem(null);
    reload();
    return () => {
      latest = -1;
      clearTimeout(timer);
      removeEventListener('online', reload);
    };
  }, inputs);

  return { data, problem, reload: useCallback(() => again.current(), []) };
}
