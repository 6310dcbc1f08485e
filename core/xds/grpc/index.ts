/** Proxyless gRPC: its bootstrap, and the names that everybody who has to do with it agrees on. */
export type { GrpcBootstrapInput } from './bootstrap.ts';
export { buildGrpcBootstrap } from './bootstrap.ts';
export {
  anchorInstance,
  anchorsInstance,
  anchorsOfFile,
  certificateFiles,
  identityInstance,
  serverListenerName,
} from './names.ts';
