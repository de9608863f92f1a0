// `/asyncapi`: the sockets and their messages, with a console to try them.

import '../common/theme.css';
import './sockets.css';
import { render } from 'preact';
import { Console } from './console';
import { parsed } from './parsed';
import { loadDocument, loadScript, loadStyles, page } from './viewer';

declare const AsyncApiStandalone: { render: (properties: object, element: HTMLElement) => void };

const document = await loadDocument('asyncapi.json');
const reference = globalThis.document.createElement('div');
render(<Console document={structuredClone(document)} />, page());
page().after(reference);
await Promise.all([loadStyles('asyncapi.css'), loadScript('asyncapi.js')]);
AsyncApiStandalone.render({ schema: parsed(document), config: { show: { sidebar: false, errors: false } } }, reference);
