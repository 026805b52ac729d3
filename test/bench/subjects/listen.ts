import { type Server, ServerCredentials } from '@grpc/grpc-js';

/** What a subject says on standard output once it answers. */
export const LISTENING = 'listening';

/** Listens on the Unix socket that the command line names, and ends with the process. */
export function listen(server: Server): void {
  const socketPath = process.argv[2];
  if (socketPath === undefined) throw new Error('the first argument is the path of the socket');
  server.bindAsync(`unix:${socketPath}`, ServerCredentials.createInsecure(), (error) => {
    if (error !== null) throw error;
    console.log(LISTENING);
  });
}
