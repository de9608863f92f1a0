// A sentence that says what is wrong, next to the control that it is about.

import type { ComponentChildren } from 'preact';

export function ProblemText({ children }: { children: ComponentChildren }) {
  return (
    <p class="field-errors" role="alert">
      {children}
    </p>
  );
}
