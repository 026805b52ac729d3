/**
 * What grpc-js costs by itself: a server that takes a request as bytes and answers with the same bytes whatever it was. The bytes
 * are those of a file, so that it sends as much as the server that it is compared with; the options are those of latchkey.
 */

import { readFileSync } from 'node:fs';
import { Server, type sendUnaryData } from '@grpc/grpc-js';
import { channelOptions, DEFAULT_GRPC_LIMITS } from '../../../src/grpc/limits.ts';
import { listen } from './listen.ts';

const answerFile = process.argv[3];
if (answerFile === undefined) throw new Error('the second argument is the file of the answer');
const answer = readFileSync(answerFile);
const same = (bytes: Buffer): Buffer => bytes;

const server = new Server(channelOptions(DEFAULT_GRPC_LIMITS));
server.addService(
  {
    Check: {
      path: '/envoy.service.auth.v3.Authorization/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  },
  { Check: (_call: unknown, done: sendUnaryData<Buffer>) => done(null, answer) },
);
listen(server);
