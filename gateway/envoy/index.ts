/** Apart from the gateway's own index, because it brings Envoy's messages along: who runs no Envoy need not load them. */
export { startEnvoyProxy } from './envoy-proxy.ts';
export { freePort } from './free-port.ts';
export { startLocalServer } from './local-server.ts';
export { envoyFiles, loadEnvoyNode } from './node-file.ts';
