export { X509Prover } from './x509-prover.ts';
