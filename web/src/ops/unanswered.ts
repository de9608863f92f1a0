// Requests that must take effect once although their answers can be lost, such as a sale or a scan.

import { Problem } from '../api/problem';

const IN_FLIGHT = 'idempotency_key_in_flight';

/**
 * Gives each request an idempotency key, and the same request the same key until the server has answered it. So a
 * request whose answer was lost is not carried out twice, and one that was refused and then corrected is a new one.
 */
export class Unanswered {
  readonly #keys = new Map<string, string>();

  /**
   * @param prefix what the keys begin with
   */
  constructor(private readonly prefix: string) {}

  /**
   * @param request what is asked for, to recognise the same request by
   * @param call makes the call with a key; throws a `Problem`
   */
  async send<Answer>(request: unknown, call: (key: string) => Promise<Answer>): Promise<Answer> {
    const sent = JSON.stringify(request);
    const key = this.#keys.get(sent) ?? `${this.prefix}-${Date.now()}-${Math.random().toString(36).slice(2)}`;
    this.#keys.set(sent, key);
    try {
      const answer = await call(key);
      this.#keys.delete(sent);
      return answer;
    } catch (error) {
      if (error instanceof Problem && !error.serverAway && error.code !== IN_FLIGHT) this.#keys.delete(sent);
      throw error;
    }
  }
}
