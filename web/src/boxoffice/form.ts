// Sending a form: one at a time, with what went wrong.

import { useState } from 'preact/hooks';
import { Problem } from '../api/problem';
import { PREFIX } from '../common/base';

export interface Sending {
  busy: boolean;
  problem: Problem | null;
  /** What is wrong with a field. */
  errors: (field: string) => readonly string[] | undefined;
  /** Run a piece of work, unless one is running. */
  run: (work: () => Promise<void>) => Promise<void>;
  clear: () => void;
}

export function useSending(): Sending {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  return {
    busy,
    problem,
    errors: (field) => problem?.errors[field],
    async run(work) {
      if (busy) return;
      setBusy(true);
      setProblem(null);
      try {
        await work();
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        setProblem(error);
      } finally {
        setBusy(false);
      }
    },
    clear: () => setProblem(null),
  };
}

/** What somebody has typed into a form, kept in this tab so that a reload does not lose it. */
export interface Draft {
  /** The kept text of a field; empty for a box that is not checked. */
  text: (field: string) => string | undefined;
  /** Keep a field: the handler for `onInput` of the form. */
  keep: (event: Event) => void;
  /** Drop everything, because the form has done its work. */
  drop: () => void;
}

/**
 * The draft of a form.
 *
 * @param name of the form, which asks for nothing secret
 */
export function useDraft(name: string): Draft {
  const key = `frontrow.draft${PREFIX} ${name}`;
  const [kept] = useState(() => JSON.parse(sessionStorage.getItem(key) ?? '{}') as Record<string, string>);
  return {
    text: (field) => kept[field],
    keep({ target }) {
      if (!(target instanceof HTMLInputElement) || !target.name) return;
      kept[target.name] = target.type === 'checkbox' && !target.checked ? '' : target.value;
      sessionStorage.setItem(key, JSON.stringify(kept));
    },
    drop: () => sessionStorage.removeItem(key),
  };
}

/** The trimmed text of a field. */
export function fieldOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value.trim() : '';
}
