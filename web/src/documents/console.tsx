// The console of `/asyncapi`: connects to a socket, sends messages, and lists the frames of both directions.

import { useEffect, useRef, useState } from 'preact/hooks';

/** Older frames are dropped, so that a page left open does not grow. */
const FRAMES_KEPT = 200;

interface Frame {
  number: number;
  at: string;
  kind: 'sent' | 'received' | 'state';
  text: string;
}

/** @param document the AsyncAPI document */
export function Console({ document }: { document: any }) {
  const [name, setName] = useState(Object.keys(document.channels)[0] ?? '');
  const [values, setValues] = useState<Record<string, string>>({});
  const [message, setMessage] = useState('');
  const [open, setOpen] = useState(false);
  const [frames, setFrames] = useState<Frame[]>([]);
  const socket = useRef<WebSocket>();
  const count = useRef(0);

  const channel = document.channels[name];
  const parameters = Object.keys(channel.parameters ?? {});
  const query = Object.keys(named(document, channel.bindings.ws.query.$ref).properties);
  const examples = examplesOf(document, name);

  useEffect(() => () => socket.current?.close(), []);

  function note(kind: Frame['kind'], text: string) {
    const frame = { number: ++count.current, at: new Date().toLocaleTimeString(), kind, text };
    setFrames((earlier) => [...earlier, frame].slice(-FRAMES_KEPT));
  }

  function connect() {
    const address = channel.address.replace(/\{(\w+)\}/g, (_: string, key: string) => encodeURIComponent(values[key] ?? ''));
    const url = new URL(`.${address}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    for (const key of query) if (values[key]) url.searchParams.set(key, values[key]);
    const opened = new WebSocket(url);
    socket.current = opened;
    note('state', `connecting to ${url.pathname}`);
    opened.onopen = () => {
      setOpen(true);
      note('state', 'connected');
    };
    opened.onmessage = ({ data }) => note('received', pretty(String(data)));
    opened.onclose = ({ code, reason }) => {
      setOpen(false);
      note('state', `closed: ${code} ${reason}`);
    };
  }

  function send() {
    socket.current?.send(message);
    note('sent', pretty(message));
  }

  return (
    <main class="console">
      <h1>Sockets</h1>
      <p>
        Try a socket here; everything it can say is <a href="#introduction">below</a>. REST: <a href="docs">try it</a>,{' '}
        <a href="redoc">read it</a>.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!open) connect();
        }}
      >
        <label>
          Socket
          <select value={name} disabled={open} onChange={(event) => setName(event.currentTarget.value)}>
            {Object.entries<any>(document.channels).map(([key, { address }]) => (
              <option key={key} value={key}>
                {address}
              </option>
            ))}
          </select>
        </label>
        {[...parameters, ...query].map((key) => (
          <label key={key}>
            {key}
            <input
              value={values[key] ?? ''}
              disabled={open}
              required={parameters.includes(key)}
              autocomplete="off"
              onInput={(event) => setValues({ ...values, [key]: event.currentTarget.value })}
            />
          </label>
        ))}
        <button type="submit" disabled={open}>
          Connect
        </button>
        <button type="button" disabled={!open} onClick={() => socket.current?.close()}>
          Disconnect
        </button>
      </form>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label>
          Example
          <select value="" onChange={(event) => setMessage(examples[event.currentTarget.value] ?? '')}>
            <option value="">Choose a message</option>
            {Object.keys(examples).map((key) => (
              <option key={key}>{key}</option>
            ))}
          </select>
        </label>
        <label>
          Message
          <textarea rows={4} value={message} spellcheck={false} onInput={(event) => setMessage(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={!open || message === ''}>
          Send
        </button>
        <button type="button" onClick={() => setFrames([])}>
          Clear
        </button>
      </form>
      <div class="frames" role="log" aria-label="Frames" tabIndex={0}>
        {frames.map(({ number, at, kind, text }) => (
          <div key={number} class={kind}>
            <span>
              {at} {kind}
            </span>
            <pre>{text}</pre>
          </div>
        ))}
      </div>
    </main>
  );
}

/** The examples of the messages that clients may send on a channel, by name. */
function examplesOf(document: any, name: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const operation of Object.values<any>(document.operations)) {
    if (operation.action !== 'receive' || operation.channel.$ref !== `#/channels/${name}`) continue;
    for (const { $ref } of operation.messages) {
      const message = document.components.messages[last($ref)];
      found[message.name] = JSON.stringify(message.examples[0].payload, null, 2);
    }
  }
  return found;
}

function named(document: any, reference: string): any {
  return document.components.schemas[last(reference)];
}

function last(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
