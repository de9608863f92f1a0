// Where the server's paths begin. The server writes its path prefix into the page's <base> element.

/** The path prefix: empty, or like "/tickets". */
export const PREFIX = new URL(document.baseURI).pathname.replace(/\/$/, '');

/** The server's address with the path prefix, without a slash at the end. */
export const SERVER = new URL(document.baseURI).origin + PREFIX;
