// Long lists on the operator's page: loaded again from time to time, and shown in pages.

import { useEffect, useState } from 'preact/hooks';
import { Problem } from '../api/problem';
import { formatDay, formatTime } from '../common/format';
import { useLoaded, type Loaded } from '../common/loading';
import { Notice, ProblemNotice } from '../common/pieces';
import './ops.css';

const RELOAD_MS = 15_000;

/** Like `useLoaded`, and loads again every 15 s while the page is visible. */
export function useReloading<Data>(load: () => Promise<Data>, inputs: readonly unknown[]): Loaded<Data> {
  const loaded = useLoaded(load, inputs);
  const { reload } = loaded;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, RELOAD_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return loaded;
}

/**
 * Buttons to the previous and the next page of a list.
 *
 * @param page number of the shown page, from 1
 * @param full whether the shown page is full, so that more may follow
 */
export function Pages({ page, full, go }: { page: number; full: boolean; go: (page: number) => void }) {
  if (page === 1 && !full) return null;
  return (
    <div class="row">
      <button type="button" class="button button-quiet" disabled={page === 1} onClick={() => go(page - 1)}>
        Earlier in the list
      </button>
      <button type="button" class="button button-quiet" disabled={!full} onClick={() => go(page + 1)}>
        Further down
      </button>
    </div>
  );
}

/** A choice of one list out of a few, as buttons that stay pressed. */
export function Choices<Key extends string>({
  label,
  choices,
  value,
  choose,
}: {
  label: string;
  choices: Readonly<Record<Key, string>>;
  value: Key;
  choose: (key: Key) => void;
}) {
  return (
    <div class="row" role="group" aria-label={label}>
      {(Object.entries(choices) as [Key, string][]).map(([key, name]) => (
        <button
          key={key}
          type="button"
          class={`button ${key === value ? '' : 'button-quiet'}`}
          aria-pressed={key === value}
          onClick={() => choose(key)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/**
 * Runs one action on a list at a time, and shows what it said.
 *
 * @param reload loads the list again afterwards
 */
export function useAction(reload: () => void) {
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const run = async (action: () => Promise<string>) => {
    setBusy(true);
    setSaid('');
    setProblem(null);
    try {
      setSaid(await action());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
      reload();
    }
  };
  const shown = (
    <>
      {said && <Notice>{said}</Notice>}
      {problem && <ProblemNotice problem={problem} />}
    </>
  );
  return { run, isBusy, shown };
}

/** The day and the time of a timestamp. */
export function when(timestamp: string): string {
  return `${formatDay(timestamp)}, ${formatTime(timestamp)}`;
}
