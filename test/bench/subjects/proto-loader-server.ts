/** The least that an ext_authz server of grpc-js and proto-loader can be: it allows whatever comes, and decides nothing. */

import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { listen } from './listen.ts';

const definition = loadSync('envoy/service/auth/v3/external_auth.proto', {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
});
const authorization = ['envoy', 'service', 'auth', 'v3', 'Authorization'].reduce(
  // Packages are objects in objects, with the service at the end; proto/ has this one.
  (found, name) => found[name] as GrpcObject,
  loadPackageDefinition(definition),
) as unknown as ServiceClientConstructor;

const server = new Server();
server.addService(authorization.service, {
  check: (_call: unknown, done: sendUnaryData<object>) =>
    done(null, { status: { code: 0 }, okResponse: {} }),
});
listen(server);
