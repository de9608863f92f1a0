// The REST API of the page's server, with the user's token: `await answered(api.GET('/api/v1/movies/'))`.

import { SERVER } from '../common/base';
import { accessToken, tokenRefused } from '../common/session';
import { restClient } from './rest';

export { answered } from './rest';

/** A log-in that the server has ended ends here, too. Visitors repeat what has failed themselves. */
export const api = restClient(SERVER, { token: accessToken, refused: tokenRefused, attempts: 1 });
