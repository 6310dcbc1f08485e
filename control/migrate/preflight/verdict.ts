import type { PreflightCheck } from './contract.ts';

/** Something that is not as it must be. */
export interface Problem {
  readonly ok: 'warn' | 'fail';
  readonly message: string;
  readonly fix: string;
  /** Absent: in no field of the Migration. */
  readonly path?: string;
}

export function fail(path: string, message: string, fix: string): Problem {
  return { ok: 'fail', path, message, fix };
}

export function warn(path: string, message: string, fix: string): Problem {
  return { ok: 'warn', path, message, fix };
}

/** One check for each problem, or one that passes. */
export function verdict(name: string, passed: string, problems: readonly Problem[]): readonly PreflightCheck[] {
  if (problems.length === 0) return [{ name, ok: 'pass', message: passed, fix: '', path: '' }];
  return problems.map(({ ok, message, fix, path = '' }) => ({ name, ok, message, fix, path }));
}
