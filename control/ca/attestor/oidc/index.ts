export { OidcProver } from './oidc-prover.ts';
