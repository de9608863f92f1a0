// Who is shopping: the user who is logged in, or else a guest. A guest is one tab, so that two windows are two
// customers; the tokens of guests who have bought are kept for the whole browser, because they are all that leads back
// to the tickets.

import { SERVER, PREFIX } from '../common/base';
import { accessToken } from '../common/session';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';

const KEY = `frontrow.guest${PREFIX}`;
const BUYERS_KEY = `frontrow.guests${PREFIX}`;
const BUYERS_LIMIT = 20;

export type Credentials = { Authorization: string };

export function guestToken(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Tokens of guests whose tickets this browser shows, latest first. */
export function buyers(): string[] {
  const kept = JSON.parse(localStorage.getItem(BUYERS_KEY) ?? '[]') as string[];
  const own = guestToken();
  return own && !kept.includes(own) ? [own, ...kept] : kept;
}

/** Keep a guest's token, because tickets were bought with it. */
export function rememberBuyer(token: string): void {
  const others = buyers().filter((one) => one !== token);
  localStorage.setItem(BUYERS_KEY, JSON.stringify([token, ...others].slice(0, BUYERS_LIMIT)));
}

/** Drop a token that the server no longer accepts. */
export function forgetBuyer(token: string): void {
  if (guestToken() === token) sessionStorage.removeItem(KEY);
  const others = (JSON.parse(localStorage.getItem(BUYERS_KEY) ?? '[]') as string[]).filter((one) => one !== token);
  localStorage.setItem(BUYERS_KEY, JSON.stringify(others));
}

let creating: Promise<string> | null = null;

/** A new token: of the guest whose token is given, or of a new guest. */
async function issued(token?: string): Promise<string> {
  const headers = token ? credentials(token) : {};
  const answer = await answered(api.POST('/api/public/guests', { headers }));
  return answer.data.accessToken;
}

/** The token to shop with; makes a guest if nobody is logged in and there is none yet. */
export async function customerToken(): Promise<string> {
  const user = await accessToken();
  if (user) return user;
  const known = guestToken();
  if (known && !expired(known)) return known;
  creating ??= issued().finally(() => (creating = null));
  const token = await creating;
  sessionStorage.setItem(KEY, token);
  return token;
}

/** Header fields for calls of this customer. */
export async function customer(): Promise<Credentials> {
  return credentials(await customerToken());
}

export function credentials(token: string): Credentials {
  return { Authorization: `Bearer ${token}` };
}

/** Exchange the token of a mailed link for one that lasts. */
export async function acceptLink(token: string): Promise<void> {
  rememberBuyer(await issued(token));
}

function expired(token: string): boolean {
  try {
    const { exp } = JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))) as { exp: number };
    return exp * 1000 < Date.now() + 60_000;
  } catch {
    return true;
  }
}

/** A file of the customer's, which needs a token and so cannot be the address of an image or a link. */
export async function fetchFile(path: string, token: string): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(`${SERVER}${path}`, { headers: credentials(token) });
  } catch {
    throw new Problem(0, 'unreachable', 'The server cannot be reached. Trying again…', true);
  }
  if (!response.ok) throw new Problem(response.status, 'unknown', 'The file could not be loaded.', response.status >= 500);
  return response.blob();
}
