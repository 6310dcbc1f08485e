export type { ReviewTokens } from './contract.ts';
export { KubernetesProver } from './kubernetes-prover.ts';
