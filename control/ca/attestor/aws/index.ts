export { AwsProver } from './aws-prover.ts';
