export { NomadProver } from './nomad-prover.ts';
