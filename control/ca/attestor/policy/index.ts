export type { AttestorSurroundings, ClosableAttestor } from './create-attestor.ts';
export { createAttestor } from './create-attestor.ts';
export { sweepProofs } from './sweep-proofs.ts';
