// `/redoc`: the REST operations to read, in three columns.

import { loadDocument, page } from './viewer';

const viewer = new URL('viewers/redoc.standalone.js', location.href).href;
const [document, { init }] = await Promise.all([loadDocument('openapi.json'), import(/* @vite-ignore */ viewer)]);
init(document, { disableTelemetry: true }, page());
