/** Envoy's own configuration: what every part that speaks to Envoy agrees on. */
export { buildEnvoyBootstrap } from './bootstrap.ts';
export type { EnvoyAdminAddress, EnvoyBootstrapInput } from './bootstrap-input.ts';
export { controlBundleSecretName, svidSecretName } from './names.ts';
