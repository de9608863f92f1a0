// Every state of the plan since the page was opened, for undo and redo.

/** More steps than anybody takes in a session; the oldest are forgotten after that. */
export const STEPS_LIMIT = 2000;

export interface History<State> {
  readonly past: readonly State[];
  readonly present: State;
  readonly future: readonly State[];
}

export function begun<State>(present: State): History<State> {
  return { past: [], present, future: [] };
}

/** The history after a change; unchanged if the state is the same. */
export function changed<State>(history: History<State>, present: State): History<State> {
  if (present === history.present) return history;
  return { past: [...history.past, history.present].slice(-STEPS_LIMIT), present, future: [] };
}

export function undone<State>({ past, present, future }: History<State>): History<State> {
  const before = past.at(-1);
  if (before === undefined) return { past, present, future };
  return { past: past.slice(0, -1), present: before, future: [present, ...future] };
}

export function redone<State>({ past, present, future }: History<State>): History<State> {
  const [after, ...later] = future;
  if (after === undefined) return { past, present, future };
  return { past: [...past, present], present: after, future: later };
}
