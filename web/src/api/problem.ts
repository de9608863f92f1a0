// Every way in which a call can fail, as one error. The two styles of the API's error bodies end here.

/** The code of a call that got no answer: no network, or no server. */
export const UNREACHABLE = 'unreachable';

/** The code of a page whose own script has failed. */
const BROKEN = 'broken';

const COULD_NOT_ANSWER = 'The server could not answer.';

/** A call that failed. The message is for people. */
export class Problem extends Error {
  /**
   * @param status of the response; 0 if there was none
   * @param code of the refusal, or `UNREACHABLE`, or `BROKEN`
   * @param message for people
   * @param retryable whether the same call may succeed later
   * @param errors messages by field of the request
   * @param details everything that the response says about the refusal
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly retryable: boolean,
    readonly errors: Readonly<Record<string, readonly string[]>> = {},
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  /** Messages by the whole path of a field, such as "buyerInfo.email". */
  get paths(): Readonly<Record<string, readonly string[]>> {
    return (this.details.paths as Record<string, string[]> | undefined) ?? this.errors;
  }

  /** Whether the server or the way to it is at fault, and not the call. */
  get serverAway(): boolean {
    return this.code === UNREACHABLE || this.status >= 500;
  }
}

interface Reason {
  code?: string;
  retryable?: boolean;
  errors?: Record<string, string[]>;
}

/** The problem that a response with an error status describes. */
export function problemOf(status: number, body: unknown): Problem {
  const document = (typeof body === 'object' && body !== null ? body : {}) as Reason & {
    detail?: string;
    message?: string;
    error?: Reason;
  };
  const reason = document.error ?? document;
  const message = document.detail ?? document.message ?? COULD_NOT_ANSWER;
  return new Problem(
    status,
    reason.code ?? 'unknown',
    status >= 500 && !reason.code ? COULD_NOT_ANSWER : message,
    reason.retryable ?? status >= 500,
    reason.errors,
    { ...reason },
  );
}

/** The problem of a call that got no answer. */
export function unreachable(): Problem {
  return new Problem(0, UNREACHABLE, 'The server cannot be reached.', true);
}

/** The problem of a page whose own script has failed: the server is not at fault, and trying again is no use. */
export function broken(): Problem {
  return new Problem(0, BROKEN, 'This page has failed. Reload it; if that does not help, try another browser.', false);
}
