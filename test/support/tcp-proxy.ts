import { connect, createServer, type Socket } from 'node:net';

/**
 * `pass`: bytes go through. `blackhole`: connections are accepted and stay open, and no byte goes through either way.
 * `refuse`: new connections are reset at once, and open ones are cut. `cut`: what is open is silently dead (half-open:
 * nothing passes, nobody is told), while new connections pass.
 */
export type ProxyMode = 'pass' | 'blackhole' | 'refuse' | 'cut';

export interface TcpProxy {
  readonly port: number;
  setMode(mode: ProxyMode): void;
  /** Connections accepted since the start. */
  accepted(): number;
  /** Pieces of data that a fault has kept from either side since the start. */
  swallowed(): number;
  /** Connections open towards the client at this moment. */
  open(): number;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  dead: boolean;
}

export interface TcpProxyOptions {
  readonly host: string;
  readonly port: number;
  /** Changes what the client sends, chunk by chunk as it happens to arrive. */
  readonly rewrite?: ((chunk: Buffer) => Buffer) | undefined;
}

/** A TCP proxy on 127.0.0.1 between a client and a server, whose faults can be switched on and off. */
export function createTcpProxy(target: TcpProxyOptions): Promise<TcpProxy> {
  const rewrite = target.rewrite ?? ((chunk) => chunk);
  const pairs = new Set<Pair>();
  let mode: ProxyMode = 'pass';
  let accepted = 0;
  let swallowed = 0;

  const join = (client: Socket): void => {
    accepted += 1;
    if (mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: target.host, port: target.port });
    const pair: Pair = { client, server, dead: false };
    pairs.add(pair);
    relay(client, server, pair);
    relay(server, client, pair);
    client.on('close', () => {
      pairs.delete(pair);
      server.destroy();
    });
  };

  const relay = (from: Socket, to: Socket, pair: Pair): void => {
    const silent = () => pair.dead || mode === 'blackhole';
    from.on('data', (chunk) => {
      if (silent()) swallowed += 1;
      else to.write(from === pair.client ? rewrite(Buffer.from(chunk)) : chunk);
    });
    from.on('end', () => {
      if (!silent()) to.end();
    });
    from.on('error', () => {
      if (!silent()) to.destroy();
    });
  };

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, join);
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address();
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : 0,
        setMode(next) {
          mode = next;
          for (const pair of pairs) {
            if (next === 'cut') pair.dead = true;
            if (next === 'refuse') pair.client.resetAndDestroy();
          }
        },
        accepted: () => accepted,
        swallowed: () => swallowed,
        open: () => pairs.size,
        close: () =>
          new Promise((done) => {
            listener.close(() => done());
            for (const { client } of pairs) client.destroy();
          }),
      });
    });
  });
}
