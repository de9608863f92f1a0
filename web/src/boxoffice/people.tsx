// The fields of a buyer and of ticket holders.

import { useState } from 'preact/hooks';
import type { Problem } from '../api/problem';
import { Field } from '../common/pieces';
import { fieldOf } from './form';

export interface Person {
  fullName: string;
  identityType: string;
  identityNumber: string;
  email: string;
  whatsapp: string;
}

const FIELDS: ReadonlySet<string> = new Set(['fullName', 'identityType', 'identityNumber', 'email', 'whatsapp']);

/** The name of a field in a form that has several people. */
const named = (prefix: string, field: string): string => `${prefix}.${field}`;

function personOf(form: HTMLFormElement, prefix: string): Person {
  const of = (field: string): string => fieldOf(form, named(prefix, field));
  return {
    fullName: of('fullName'),
    identityType: of('identityType'),
    identityNumber: of('identityNumber'),
    email: of('email'),
    whatsapp: of('whatsapp'),
  };
}

/** The people whom a form names: the buyer, and a holder for each prefix. */
export function peopleOf(form: HTMLFormElement, prefixes: readonly string[]): { buyer: Person; holders: Person[] } {
  const buyer = personOf(form, 'buyer');
  const same = new FormData(form);
  return { buyer, holders: prefixes.map((prefix) => (same.has(named(prefix, 'same')) ? buyer : personOf(form, prefix))) };
}

/**
 * What is wrong with the people of a form, by the names of its fields.
 *
 * @param problem the refusal of a purchase
 * @param prefixes of the holders that were sent, in their order; "buyer" for those who are the buyer
 * @returns the messages by field, and those that belong to no field
 */
export function faultsOf(
  problem: Problem,
  prefixes: readonly string[],
): { fields: Record<string, readonly string[]>; elsewhere: readonly string[] } {
  const fields: Record<string, readonly string[]> = {};
  const elsewhere: string[] = [];
  for (const [path, messages] of Object.entries(problem.paths)) {
    const [, number, ofHolder] = /^ticketHolders\.(\d+)\.(\w+)$/.exec(path) ?? [];
    const ofBuyer = /^(?:buyerInfo\.)?(\w+)$/.exec(path)?.[1];
    const prefix = number === undefined ? 'buyer' : prefixes[Number(number)];
    const field = ofHolder ?? ofBuyer;
    if (prefix && field && FIELDS.has(field)) fields[named(prefix, field)] = messages;
    else elsewhere.push(...messages);
  }
  return { fields, elsewhere };
}

/**
 * The fields of a person.
 *
 * @param sameAsBuyer whether the person may be the buyer, and is at first
 * @param errors what is wrong, by the names of fields in the form
 * @param known what the fields have at first, by their names in the form
 */
export function PersonFields({
  prefix,
  title,
  sameAsBuyer = false,
  errors,
  known = () => undefined,
}: {
  prefix: string;
  title: string;
  sameAsBuyer?: boolean;
  errors: Readonly<Record<string, readonly string[]>>;
  known?: (field: string) => string | undefined;
}) {
  const [same, setSame] = useState(sameAsBuyer && known(named(prefix, 'same')) !== '');
  const buyer = prefix === 'buyer';
  const about = (field: string): { name: string; errors: readonly string[] | undefined; defaultValue: string | undefined } => {
    const name = named(prefix, field);
    return { name, errors: errors[name], defaultValue: known(name) };
  };
  return (
    <fieldset class="person stack">
      <legend>{title}</legend>
      {sameAsBuyer && (
        <label class="check">
          <input type="checkbox" name={named(prefix, 'same')} checked={same} onChange={(event) => setSame(event.currentTarget.checked)} />
          For the buyer
        </label>
      )}
      {!same && (
        <div class="fields">
          <Field label="Name" {...about('fullName')} autocomplete={buyer ? 'name' : 'off'} required maxLength={200} />
          <Field label="E-mail" {...about('email')} type="email" autocomplete={buyer ? 'email' : 'off'} required maxLength={254} />
          <Field label="Identity document" {...about('identityType')} placeholder="Passport" required maxLength={40} />
          <Field label="Its number" {...about('identityNumber')} autocomplete="off" required maxLength={40} />
          <Field
            label="Phone (WhatsApp)"
            {...about('whatsapp')}
            type="tel"
            autocomplete={buyer ? 'tel' : 'off'}
            hint="With the country code, such as +49 228 1234567."
            required
            maxLength={40}
          />
        </div>
      )}
    </fieldset>
  );
}
