/** grpc.health.v1.Health/Check, whose request holds one string and whose answer one enum: too little to need a code generator. */
export const grpcHealthPath = '/grpc.health.v1.Health/Check';

/** The longest service name that is asked for. */
export const longestGrpcService = 127;

/** HealthCheckRequest{service = 1}, behind gRPC's five bytes. `service`: empty asks for the whole server. */
export function grpcHealthRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, longestGrpcService);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

/** HealthCheckResponse{status = 1}, behind gRPC's five bytes: SERVING is 1. */
export function grpcSaysServing(reply: Buffer): boolean {
  return reply.length >= 7 && reply[0] === 0 && reply[5] === 0x08 && reply[6] === 1;
}
