// Sending a form: one at a time, with what went wrong.

import { useState } from 'preact/hooks';
import { Problem } from '../api/problem';

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

/** The trimmed text of a field. */
export function fieldOf(form: HTMLFormElement, name: string): string {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value.trim() : '';
}
