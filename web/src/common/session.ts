// The user's log-in, shared by all tabs of the browser: kept in local storage, renewed before its token expires.

import { signal } from '@preact/signals';
import { problemOf, unreachable } from '../api/problem';
import type { components, paths } from '../api/schema';
import { patience, PREFIX, SERVER } from './base';

export type User = components['schemas']['Profile'];
type Issued = paths['/api/v1/auth/login']['post']['responses'][200]['content']['application/json'];

interface Tokens {
  access: string;
  refresh: string;
  /** When to renew the access token, in milliseconds since 1970. */
  renewAt: number;
}

const KEY = `frontrow.login${PREFIX}`;
/** A token is renewed in the last quarter of its life, but at most this long before its end. */
const RENEW_MS = 5 * 60_000;

/** The user who is logged in; null for guests; undefined until the server has said so. */
export const user = signal<User | null | undefined>(localStorage.getItem(KEY) === null ? null : undefined);

/** Whether the last log-in was ended by the server or in another tab, so that pages can say so. */
export const loggedOutElsewhere = signal(false);

function stored(): Tokens | null {
  const text = localStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as Tokens);
}

/** Keep the tokens that the server has issued. */
export function takeTokens(issued: Issued): void {
  const life = issued.expires_in * 1000;
  const tokens: Tokens = {
    access: issued.access_token,
    refresh: issued.refresh_token,
    renewAt: Date.now() + life - Math.min(RENEW_MS, life / 4),
  };
  localStorage.setItem(KEY, JSON.stringify(tokens));
}

function forget(): void {
  localStorage.removeItem(KEY);
  user.value = null;
}

/** The calls of this module must not go through the middleware that asks it for a token. */
async function post<Answer>(path: string, body: object | undefined, token?: string): Promise<Answer> {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  if (body) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(SERVER + path, {
      method: 'POST',
      headers,
      body: body ? JSON.stringify(body) : null,
      signal: patience(),
    });
  } catch {
    throw unreachable();
  }
  const text = await response.text();
  const answer: unknown = text && response.headers.get('Content-Type')?.includes('json') ? JSON.parse(text) : null;
  if (!response.ok) throw problemOf(response.status, answer);
  return answer as Answer;
}

/** Only one tab may renew, because a refresh token works once. Without a secure context there are no locks. */
async function alone<Result>(work: () => Promise<Result>): Promise<Result> {
  return navigator.locks ? navigator.locks.request(KEY, work) : work();
}

let renewing: Promise<void> | null = null;

async function renew(): Promise<void> {
  await alone(async () => {
    const tokens = stored();
    // Another tab may have renewed while this one waited.
    if (!tokens || Date.now() < tokens.renewAt) return;
    try {
      takeTokens(await post('/api/v1/auth/refresh-token', { refresh_token: tokens.refresh }, tokens.access));
    } catch (problem) {
      if ((problem as { status?: number }).status === 401) tokenRefused(tokens.access);
    }
  });
}

/** The user's access token, renewed if it expires soon; undefined for guests. */
export async function accessToken(): Promise<string | undefined> {
  const tokens = stored();
  if (!tokens) return undefined;
  if (Date.now() >= tokens.renewAt) {
    renewing ??= renew().finally(() => (renewing = null));
    await renewing;
  }
  return stored()?.access;
}

/** The server has refused a token: end the log-in here, unless there is a newer one. */
export function tokenRefused(token: string): void {
  if (stored()?.access !== token) return;
  forget();
  loggedOutElsewhere.value = true;
}

/**
 * Log in.
 *
 * @throws {Problem} the server refused or could not be reached
 */
export async function logIn(email: string, password: string): Promise<void> {
  takeTokens(await post('/api/v1/auth/login', { email, password }));
  loggedOutElsewhere.value = false;
  await loadUser();
}

/**
 * End all log-ins of the user, also this one.
 *
 * @throws {Problem} the server refused or could not be reached
 */
export async function logOutEverywhere(): Promise<void> {
  await post('/api/v1/auth/logout?everywhere=true', undefined, await accessToken());
  forget();
}

/** Log out here and at the server. */
export async function logOut(): Promise<void> {
  const token = stored()?.access;
  forget();
  // If the server cannot be told, the token is gone from here all the same.
  if (token) await post('/api/v1/auth/logout', undefined, token).catch(() => undefined);
}

/**
 * Find out who is logged in; sets `user`.
 *
 * @throws {Problem} the server could not answer
 */
export async function loadUser(): Promise<void> {
  const token = await accessToken();
  if (!token) {
    user.value = null;
    return;
  }
  let response: Response;
  try {
    response = await fetch(`${SERVER}/api/v1/auth/me`, {
      headers: { Authorization: `Bearer ${token}` },
      signal: patience(),
    });
  } catch {
    throw unreachable();
  }
  if (response.ok) user.value = (await response.json()) as User;
  else if (response.status === 401) tokenRefused(token);
  else if (response.status === 429 || response.status >= 500) throw problemOf(response.status, null);
  else forget();
}

addEventListener('storage', (event) => {
  if (event.key !== KEY && event.key !== null) return;
  if (stored()) loadUser().catch(() => undefined);
  else if (user.value) {
    user.value = null;
    loggedOutElsewhere.value = true;
  }
});
