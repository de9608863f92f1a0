// Small parts that all pages share: notices, form fields, dialogs, waiting.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import type { Problem } from '../api/problem';
import type { Loaded } from './loading';

type Tone = 'info' | 'good' | 'bad';

/** A line that tells the reader something; screen readers announce it. */
export function Notice({ tone = 'info', children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <div class={`notice notice-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/** The way to the log-in and back. It leaves the area, as only the box office has the page. */
export function LogInLink() {
  const [path] = useLocation();
  return <a href={path === '/login' ? 'login' : `login?next=${encodeURIComponent(path)}`}>Log in</a>;
}

/** What went wrong, calmly; with the way on if there is one. */
export function ProblemNotice({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <Notice tone={problem.serverAway ? 'info' : 'bad'}>
      <span>
        {problem.message} {problem.serverAway && (retry ? 'Trying again…' : 'Please try again.')}
      </span>
      {problem.status === 401 && <LogInLink />}
      {retry && (
        <button type="button" class="button button-quiet" onClick={retry}>
          Try now
        </button>
      )}
    </Notice>
  );
}

/**
 * What is wrong with a form as a whole. Its fields say what is wrong with them.
 *
 * @param elsewhere messages about what is no field of the form
 */
export function FormProblem({ problem, elsewhere = [] }: { problem: Problem; elsewhere?: readonly string[] }) {
  if (problem.code !== 'invalid_input') return <ProblemNotice problem={problem} />;
  return <Notice tone="bad">{elsewhere.length > 0 ? elsewhere.join(' ') : 'Please correct what is marked.'}</Notice>;
}

/**
 * Shows what was loaded, the last answer if the server is away now, or placeholders before the first.
 *
 * @param name heading of the page, if the page's own heading needs what is loaded
 */
export function Shown<Data>({
  loaded,
  name,
  children,
}: {
  loaded: Loaded<Data>;
  name?: string;
  children: (data: Data) => ComponentChildren;
}) {
  const { data, problem, reload } = loaded;
  return (
    <>
      {data === undefined && name && <h1 class="visually-hidden">{name}</h1>}
      {problem && <ProblemNotice problem={problem} {...(problem.retryable ? { retry: reload } : {})} />}
      {data === undefined ? !problem && <Waiting /> : children(data)}
    </>
  );
}

/** Placeholder for what is being loaded. */
export function Waiting() {
  return (
    <div class="waiting" role="status">
      <span class="visually-hidden">Loading…</span>
    </div>
  );
}

interface FieldProps extends Omit<JSX.InputHTMLAttributes<HTMLInputElement>, 'id'> {
  label: string;
  hint?: string;
  errors?: readonly string[] | undefined;
}

/** A text field with its label, a hint, and what is wrong with its value. The first wrong field gets the focus. */
export function Field({ label, hint, errors, ...input }: FieldProps) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const element = field.current;
    if (errors?.length && element === element?.form?.querySelector('[aria-invalid=true]')) element?.focus();
  }, [errors]);
  const described = [hint && `${id}-hint`, errors?.length && `${id}-errors`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...input}
        ref={field}
        id={id}
        aria-invalid={errors?.length ? 'true' : undefined}
        aria-describedby={described || undefined}
      />
      {hint && (
        <small id={`${id}-hint`} class="muted">
          {hint}
        </small>
      )}
      {errors?.length ? (
        <small id={`${id}-errors`} class="field-errors">
          {errors.join(' ')}
        </small>
      ) : null}
    </div>
  );
}

/** A modal dialog. Escape and a click beside it close it; the focus returns to where it was. */
export function Dialog({
  title,
  close,
  children,
}: {
  title: string;
  close: () => void;
  children: ComponentChildren;
}) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="dialog"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <div class="dialog-content stack">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
