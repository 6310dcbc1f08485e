import type { Violation } from '../../core/validate.ts';

/** Thrown by the step of a change, to say what is wrong with what it would change. */
export class Unfit extends Error {
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    super('what would be changed cannot be used');
    this.violations = violations;
  }
}
