/** Where this folder's messages go; whoever wires it hands over a logger. Never a password, never a digest. */
export type PostgresLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;
