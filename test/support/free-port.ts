import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that Linux gives to outgoing connections (from 32768): one of those could take it before its server does. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const PORT_ATTEMPTS_MAX = 100;

/** Taken and given back: among so many nobody else asks for this one in the second until its server does. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < PORT_ATTEMPTS_MAX; attempt += 1) {
    const port = randomInt(PORT_MIN, PORT_MAX);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error(`no free port from ${PORT_MIN} to ${PORT_MAX}`);
}
