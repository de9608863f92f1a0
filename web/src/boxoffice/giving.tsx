// Giving a ticket to somebody else.

import { answered, api } from '../api/client';
import { Dialog, Field, FormProblem, Notice } from '../common/pieces';
import { credentials } from './customer';
import { fieldOf, useSending } from './form';
import type { OwnTicket } from './tickets';

const NAME_LIMIT = 200;
const EMAIL_LIMIT = 254;

/** What the owner can do about a refusal, by its code; other messages are those of the server. */
const WORDS: Readonly<Record<string, string>> = {
  transfers_closed: 'The organiser does not let tickets be given to others, or not any more. The box office may help.',
  ticket_admitted: 'This ticket was used at the door, so it cannot be given to others.',
};

/**
 * The dialog.
 *
 * @param done called with the new holder's name
 */
export function Giving({
  ticket,
  name,
  close,
  done,
}: {
  ticket: OwnTicket;
  name: string;
  close: () => void;
  done: (holder: string) => void;
}) {
  const sending = useSending();
  const { problem } = sending;
  const words = problem && WORDS[problem.code];
  return (
    <Dialog title={`Give ${name} to somebody else`} close={close}>
      <p>
        The ticket gets a new code, and the earlier one admits nobody any more. You can still cancel or move the ticket, or give it
        to somebody else again.
      </p>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const form = event.currentTarget;
          void sending.run(async () => {
            const holder_name = fieldOf(form, 'holder_name');
            await answered(
              api.PATCH('/api/v1/tickets/{ticket_id}', {
                params: { path: { ticket_id: Number(ticket.id) } },
                body: { holder_name, holder_email: fieldOf(form, 'holder_email') || null },
                headers: credentials(ticket.token),
              }),
            );
            close();
            done(holder_name);
          });
        }}
      >
        <Field label="Name" name="holder_name" autocomplete="off" required maxLength={NAME_LIMIT} errors={sending.errors('holder_name')} />
        <Field
          label="E-mail, if you like"
          name="holder_email"
          type="email"
          autocomplete="off"
          maxLength={EMAIL_LIMIT}
          hint="The ticket is sent there. Without it, pass the new code on yourself."
          errors={sending.errors('holder_email')}
        />
        {words ? <Notice tone="bad">{words}</Notice> : problem && <FormProblem problem={problem} />}
        <div class="row">
          <button type="submit" class="button" aria-disabled={sending.busy}>
            Give it away
          </button>
          <button type="button" class="button button-quiet" onClick={close}>
            Keep it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
