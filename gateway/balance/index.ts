export { Attempts, type AttemptsContext } from './attempts.ts';
export { Balancer } from './balancer.ts';
export type { PickContext } from './contract.ts';
