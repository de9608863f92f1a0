// Where the server's paths begin. The server writes its path prefix into the page's <base> element.

/** The path prefix: empty, or like "/tickets". */
export const PREFIX = new URL(document.baseURI).pathname.replace(/\/$/, '');

/** The server answers every request sooner than this, so a call that takes longer has been lost. */
const LONGEST_CALL_MS = 30_000;

/** Ends a call that has been lost on its way. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(LONGEST_CALL_MS);
}

/** The server's address with the path prefix, without a slash at the end. */
export const SERVER = new URL(document.baseURI).origin + PREFIX;
