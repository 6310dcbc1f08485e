import { createServer } from 'node:http';
import { ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { register, XdsServer, XdsServerCredentials } from '@grpc/grpc-js-xds';
import { type EchoReply, echoService } from './echo.ts';

/** `node grpc-server.js NAME IP:PORT`: a server of grpc-js-xds. GET 127.0.0.1:8081 says whether it serves, and why not. */
const [, , name = 'server', bind = ''] = process.argv;
register();
let state = 'not yet';
const server = new XdsServer({ drainGraceTimeMs: 500 });
server.addService(echoService, {
  say: (call: ServerUnaryCall<object, EchoReply>, answer: sendUnaryData<EchoReply>) => {
    const certificate = call.getAuthContext().sslPeerCertificate;
    answer(null, { server: name, caller: certificate?.subjectaltname ?? '', serial: certificate?.serialNumber ?? '' });
  },
});
server.bindAsync(bind, new XdsServerCredentials(ServerCredentials.createInsecure()), (error) => {
  state = error === null ? 'serving' : error.message;
});
server.addServingStateListener(bind, ({ code, details }) => {
  state = code === 0 ? 'serving' : details;
});
createServer((_request, response) => response.end(state)).listen(8081, '127.0.0.1');
