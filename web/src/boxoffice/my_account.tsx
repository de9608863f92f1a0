// The user's account: name, address, language, password, mails, log-ins elsewhere, and its end.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { formatDay } from '../common/format';
import { Dialog, Field, FormProblem, LogInLink, Notice, ProblemNotice } from '../common/pieces';
import { logOut, logOutEverywhere, takeTokens, user, type User } from '../common/session';
import { PASSWORD_HINT } from './account';
import { fieldOf, useSending } from './form';
import { useTitle } from './title';

/** The languages of mails, by their names in themselves. */
const LANGUAGES: Readonly<Record<string, string>> = {
  '': 'That of my browser',
  en: 'English',
  es: 'Español',
  id: 'Bahasa Indonesia',
  de: 'Deutsch',
};

export function AccountPage() {
  useTitle('Account');
  if (user.value === undefined) return null;
  return (
    <div class="narrow stack">
      <h1>Account</h1>
      {user.value ? (
        <>
          <Details own={user.value} />
          <Mails own={user.value} />
          <Password />
          <Everywhere />
          <Deletion />
        </>
      ) : (
        <Notice>
          <span>Log in to see your account.</span>
          <LogInLink />
        </Notice>
      )}
    </div>
  );
}

interface FormProps {
  title: string;
  button: string;
  done: string;
  /** Sends the form. */
  save: (form: HTMLFormElement) => Promise<void>;
  children: (errors: (field: string) => readonly string[] | undefined) => ComponentChildren;
}

/** A part of the account that is changed by itself. */
function Part({ title, button, done, save, children }: FormProps) {
  const sending = useSending();
  const [said, setSaid] = useState(false);
  return (
    <form
      class="card stack"
      aria-label={title}
      onInput={() => setSaid(false)}
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        setSaid(false);
        void sending.run(async () => {
          await save(form);
          setSaid(true);
        });
      }}
    >
      <h2>{title}</h2>
      {children(sending.errors)}
      {sending.problem && <FormProblem problem={sending.problem} />}
      {said && <Notice tone="good">{done}</Notice>}
      <button type="submit" class="button" aria-disabled={sending.busy}>
        {button}
      </button>
    </form>
  );
}

function Details({ own }: { own: User }) {
  const [email, setEmail] = useState(own.email);
  const moved = email.trim().toLowerCase() !== own.email.toLowerCase();
  return (
    <Part
      title="About you"
      button="Save"
      done="Saved."
      save={async (form) => {
        const body = {
          full_name: fieldOf(form, 'full_name'),
          email: fieldOf(form, 'email'),
          ...(moved ? { current_password: String(new FormData(form).get('current_password')) } : {}),
        };
        user.value = await answered(api.PUT('/api/v1/users/me', { body }));
      }}
    >
      {(errors) => (
        <>
          <Field label="Name" name="full_name" autocomplete="name" maxLength={200} defaultValue={own.full_name} errors={errors('full_name')} />
          <Field
            label="E-mail"
            name="email"
            type="email"
            autocomplete="email"
            required
            maxLength={254}
            defaultValue={own.email}
            onInput={(event) => setEmail(event.currentTarget.value)}
            errors={errors('email')}
          />
          {moved && (
            <Field
              label="Current password"
              name="current_password"
              type="password"
              autocomplete="current-password"
              required
              maxLength={200}
              hint="Needed for another address, because links for a new password are sent there."
              errors={errors('current_password')}
            />
          )}
        </>
      )}
    </Part>
  );
}

function Mails({ own }: { own: User }) {
  const { language = '' } = own.preferences;
  const known = Object.keys(LANGUAGES).find((tag) => tag && language.toLowerCase().startsWith(tag)) ?? '';
  return (
    <Part
      title="Mails"
      button="Save"
      done="Saved."
      save={async (form) => {
        const chosen = fieldOf(form, 'language');
        const { language: _, ...others } = own.preferences;
        const body = {
          ...others,
          // A region, as in es-CO, stays unless another language is chosen.
          ...(chosen && { language: chosen === known ? language : chosen }),
          hold_reminders: new FormData(form).has('hold_reminders'),
        };
        const preferences = await answered(api.PUT('/api/v1/users/me/preferences', { body }));
        user.value = { ...own, preferences };
      }}
    >
      {() => (
        <>
          <label class="field">
            Language of mails
            <select class="input" name="language" defaultValue={known}>
              {Object.entries(LANGUAGES).map(([tag, name]) => (
                <option key={tag} value={tag} selected={tag === known}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label class="check">
            <input type="checkbox" name="hold_reminders" defaultChecked={own.preferences.hold_reminders === true} />
            Tell me by mail before my reserved seats become free again
          </label>
          <p class="muted small">Mails about tickets and money are always sent.</p>
        </>
      )}
    </Part>
  );
}

function Password() {
  return (
    <Part
      title="Password"
      button="Change the password"
      done="Your password is changed. You stay logged in here, and are logged out everywhere else."
      save={async (form) => {
        const data = new FormData(form);
        const body = { current_password: String(data.get('current_password')), new_password: String(data.get('new_password')) };
        takeTokens(await answered(api.PUT('/api/v1/auth/change-password', { body })));
        form.reset();
      }}
    >
      {(errors) => (
        <>
          <Field
            label="Present password"
            name="current_password"
            type="password"
            autocomplete="current-password"
            required
            maxLength={200}
            errors={errors('current_password')}
          />
          <Field
            label="New password"
            name="new_password"
            type="password"
            autocomplete="new-password"
            required
            minLength={10}
            maxLength={200}
            hint={PASSWORD_HINT}
            errors={errors('new_password')}
          />
        </>
      )}
    </Part>
  );
}

function Everywhere() {
  const sending = useSending();
  const [, navigate] = useLocation();
  return (
    <section class="card stack" aria-labelledby="everywhere">
      <h2 id="everywhere">Log-ins</h2>
      <p>If you have left a log-in open on another device, end all of them, also this one.</p>
      {sending.problem && <ProblemNotice problem={sending.problem} />}
      <button
        type="button"
        class="button button-quiet"
        aria-disabled={sending.busy}
        onClick={() =>
          void sending.run(async () => {
            await logOutEverywhere();
            navigate('/login');
          })
        }
      >
        Log out everywhere
      </button>
    </section>
  );
}

interface StandingTicket {
  ticket_id: number;
  starts_at: string;
}

function Deletion() {
  const [asking, setAsking] = useState(false);
  const [tickets, setTickets] = useState<readonly StandingTicket[]>([]);
  const sending = useSending();
  const [, navigate] = useLocation();

  async function erase(): Promise<void> {
    const query = tickets.length > 0 ? { cancel_tickets: true } : {};
    try {
      await answered(api.DELETE('/api/v1/users/me', { params: { query } }));
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.code !== 'account_has_tickets') throw problem;
      setTickets(problem.details.tickets as StandingTicket[]);
      return;
    }
    await logOut();
    navigate('/');
  }

  return (
    <section class="card stack" aria-labelledby="deletion">
      <h2 id="deletion">Delete the account</h2>
      <p>Your name, picture and preferences are erased. What you have reserved is given back.</p>
      <button type="button" class="button button-danger" onClick={() => setAsking(true)}>
        Delete my account
      </button>
      {asking && (
        <Dialog title="Delete your account?" close={() => setAsking(false)}>
          {tickets.length > 0 ? (
            <>
              <p>You have tickets for what has not begun. They would be cancelled, and what you paid for them is paid back:</p>
              <ul>
                {tickets.map(({ ticket_id, starts_at }) => (
                  <li key={ticket_id}>
                    Ticket {ticket_id}, {formatDay(starts_at)}
                  </li>
                ))}
              </ul>
            </>
          ) : (
            <p>This cannot be undone.</p>
          )}
          {sending.problem && <ProblemNotice problem={sending.problem} />}
          <div class="row">
            <button type="button" class="button button-danger" aria-disabled={sending.busy} onClick={() => void sending.run(erase)}>
              {tickets.length > 0 ? 'Cancel the tickets and delete the account' : 'Delete the account'}
            </button>
            <button type="button" class="button button-quiet" onClick={() => setAsking(false)}>
              Keep it
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
