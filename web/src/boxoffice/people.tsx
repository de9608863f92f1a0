// The fields of a buyer and of ticket holders.

import { useState } from 'preact/hooks';
import { Field } from '../common/pieces';
import { fieldOf } from './form';

export interface Person {
  fullName: string;
  identityType: string;
  identityNumber: string;
  email: string;
  whatsapp: string;
}

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

export function PersonFields({ prefix, title, sameAsBuyer = false }: { prefix: string; title: string; sameAsBuyer?: boolean }) {
  const [same, setSame] = useState(sameAsBuyer);
  const buyer = prefix === 'buyer';
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
          <Field label="Name" name={named(prefix, 'fullName')} autocomplete={buyer ? 'name' : 'off'} required maxLength={200} />
          <Field label="E-mail" name={named(prefix, 'email')} type="email" autocomplete={buyer ? 'email' : 'off'} required maxLength={254} />
          <Field label="Identity document" name={named(prefix, 'identityType')} placeholder="Passport" required maxLength={40} />
          <Field label="Its number" name={named(prefix, 'identityNumber')} autocomplete="off" required maxLength={40} />
          <Field
            label="Phone (WhatsApp)"
            name={named(prefix, 'whatsapp')}
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
