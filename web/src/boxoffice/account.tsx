// Log-in, registration, and both steps of resetting a password.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { Link, useLocation, useSearch } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Field, Notice, ProblemNotice } from '../common/pieces';
import { logIn, user } from '../common/session';
import { fieldOf, useSending } from './form';
import { useTitle } from './title';

export const PASSWORD_HINT = 'At least 10 characters, five of them different.';

/** The page to go on to: a path of this site, never another site. */
export function nextPath(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/';
  // URLs are read without tabs and line breaks, so a path must not have any.
  return /^\/(?![/\\])[^\u0000-\u001f]*$/.test(next) ? next : '/';
}

/** Pages with a script of their own are opened by the browser, the others by the router. */
function useGoOn(): (path: string) => void {
  const [, navigate] = useLocation();
  return (path) => {
    if (path.startsWith('/ops')) location.assign(new URL(path.slice(1), document.baseURI));
    else navigate(path, { replace: true });
  };
}

function Page({ title, children }: { title: string; children: ComponentChildren }) {
  useTitle(title);
  return (
    <div class="narrow stack">
      <h1>{title}</h1>
      {children}
    </div>
  );
}

export function LogInPage() {
  const search = useSearch();
  const goOn = useGoOn();
  const sending = useSending();
  if (user.value) {
    return (
      <Page title="Log in">
        <Notice tone="good">
          <span>
            You are logged in as <b>{user.value.email}</b>.
          </span>
          <Link href={nextPath(search)}>Go on</Link>
        </Notice>
      </Page>
    );
  }
  return (
    <Page title="Log in">
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          void sending.run(async () => {
            await logIn(fieldOf(form, 'email'), String(new FormData(form).get('password')));
            goOn(nextPath(search));
          });
        }}
      >
        <Field label="E-mail" name="email" type="email" autocomplete="username" required maxLength={254} errors={sending.errors('email')} />
        <Field label="Password" name="password" type="password" autocomplete="current-password" required maxLength={200} errors={sending.errors('password')} />
        {sending.problem?.code === 'invalid_credentials' ? (
          <Notice tone="bad">This e-mail address and password do not match.</Notice>
        ) : (
          sending.problem && <ProblemNotice problem={sending.problem} />
        )}
        <button type="submit" class="button button-wide" aria-disabled={sending.busy}>
          {sending.busy ? 'Logging in…' : 'Log in'}
        </button>
      </form>
      <p class="row row-apart">
        <Link href="/forgot-password">Forgot your password?</Link>
        <Link href={`/register${search ? `?${search}` : ''}`}>Register</Link>
      </p>
    </Page>
  );
}

export function RegisterPage() {
  const search = useSearch();
  const goOn = useGoOn();
  const sending = useSending();
  return (
    <Page title="Register">
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          void sending.run(async () => {
            const email = fieldOf(form, 'email');
            const password = String(new FormData(form).get('password'));
            const body = { email, password, full_name: fieldOf(form, 'full_name') };
            await answered(api.POST('/api/v1/auth/register', { body }));
            await logIn(email, password);
            goOn(nextPath(search));
          });
        }}
      >
        <Field label="Name" name="full_name" autocomplete="name" maxLength={200} errors={sending.errors('full_name')} />
        <Field label="E-mail" name="email" type="email" autocomplete="username" required maxLength={254} errors={sending.errors('email')} />
        <Field
          label="Password"
          name="password"
          type="password"
          autocomplete="new-password"
          required
          minLength={10}
          maxLength={200}
          hint={PASSWORD_HINT}
          errors={sending.errors('password')}
        />
        {sending.problem && <ProblemNotice problem={sending.problem} />}
        <button type="submit" class="button button-wide" aria-disabled={sending.busy}>
          {sending.busy ? 'Registering…' : 'Register'}
        </button>
      </form>
      <p>
        Already registered? <Link href={`/login${search ? `?${search}` : ''}`}>Log in</Link>
      </p>
    </Page>
  );
}

export function ForgotPasswordPage() {
  const sending = useSending();
  const [sent, setSent] = useState('');
  return (
    <Page title="Reset your password">
      {sent ? (
        <Notice tone="good">If {sent} has an account, a mail with a link is on its way. The link works for half an hour.</Notice>
      ) : (
        <form
          class="card stack"
          onSubmit={(event) => {
            event.preventDefault();
            const email = fieldOf(event.currentTarget, 'email');
            void sending.run(async () => {
              await answered(api.POST('/api/v1/auth/forgot-password', { body: { email } }));
              setSent(email);
            });
          }}
        >
          <p>We send you a link with which you choose a new password.</p>
          <Field label="E-mail" name="email" type="email" autocomplete="username" required maxLength={254} errors={sending.errors('email')} />
          {sending.problem && <ProblemNotice problem={sending.problem} />}
          <button type="submit" class="button button-wide" aria-disabled={sending.busy}>
            {sending.busy ? 'Sending…' : 'Send the link'}
          </button>
        </form>
      )}
      <p>
        <Link href="/login">Back to log-in</Link>
      </p>
    </Page>
  );
}

export function ResetPasswordPage() {
  const token = new URLSearchParams(useSearch()).get('token') ?? '';
  const sending = useSending();
  const [done, setDone] = useState(false);
  if (done) {
    return (
      <Page title="Choose a new password">
        <Notice tone="good">
          <span>Your password is changed, and you are logged out everywhere.</span>
          <Link href="/login">Log in</Link>
        </Notice>
      </Page>
    );
  }
  if (!token) {
    return (
      <Page title="Choose a new password">
        <Notice tone="bad">
          <span>The link is incomplete. Open the whole link from the mail, or request a new one.</span>
          <Link href="/forgot-password">Request a link</Link>
        </Notice>
      </Page>
    );
  }
  return (
    <Page title="Choose a new password">
      <form
        class="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          const new_password = String(new FormData(event.currentTarget).get('new_password'));
          void sending.run(async () => {
            await answered(api.POST('/api/v1/auth/reset-password', { body: { token, new_password } }));
            setDone(true);
          });
        }}
      >
        <Field
          label="New password"
          name="new_password"
          type="password"
          autocomplete="new-password"
          required
          minLength={10}
          maxLength={200}
          hint={PASSWORD_HINT}
          errors={sending.errors('new_password')}
        />
        {sending.problem && <ProblemNotice problem={sending.problem} />}
        {sending.problem?.code === 'reset_token_invalid' && (
          <p>
            <Link href="/forgot-password">Request a new link</Link>
          </p>
        )}
        <button type="submit" class="button button-wide" aria-disabled={sending.busy}>
          {sending.busy ? 'Saving…' : 'Save the password'}
        </button>
      </form>
    </Page>
  );
}
